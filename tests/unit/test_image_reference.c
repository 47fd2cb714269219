/* SPDX-License-Identifier: Apache-2.0 */
/* test_image_reference.c - names of images mean what they mean to docker and podman */
#include "images/reference.h"

#include "tests/unit/unit.h"

#include "images/digest.h"
#include "runtime/base/err.h"
#include "runtime/base/cleanup.h"

#define HEX64  "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define DIGEST "sha256:" HEX64

static void names_are_completed_as_docker_does(void **state)
{
	static const struct {
		const char *text, *full, *familiar;
	} rows[] = {
		{ "python:3.12-slim", "docker.io/library/python:3.12-slim", "python:3.12-slim" },
		{ "busybox", "docker.io/library/busybox:latest", "busybox:latest" },
		{ "library/busybox", "docker.io/library/busybox:latest", "busybox:latest" },
		{ "user/app:v1", "docker.io/user/app:v1", "user/app:v1" },
		{ "docker.io/python", "docker.io/library/python:latest", "python:latest" },
		{ "index.docker.io/a/b", "docker.io/a/b:latest", "a/b:latest" },
		{ "localhost/x", "localhost/x:latest", "localhost/x:latest" },
		{ "a.b/x", "a.b/x:latest", "a.b/x:latest" },
		{ "h:5000/x", "h:5000/x:latest", "h:5000/x:latest" },
		{ "h:5000/x:5", "h:5000/x:5", "h:5000/x:5" },
		{ "[::1]:5000/x", "[::1]:5000/x:latest", "[::1]:5000/x:latest" },
		{ "[2001:db8::1]/x/y:t", "[2001:db8::1]/x/y:t", "[2001:db8::1]/x/y:t" },
		{ "A.Bc/x", "a.bc/x:latest", "a.bc/x:latest" },
		{ "LOCALHOST:5000/x:T", "localhost:5000/x:T", "localhost:5000/x:T" },
		{ "LocalHost/x", "localhost/x:latest", "localhost/x:latest" },
		{ "HOST:5000/x", "host:5000/x:latest", "host:5000/x:latest" },
		{ "[2001:DB8::A]/x", "[2001:db8::a]/x:latest", "[2001:db8::a]/x:latest" },
		{ "Docker.IO/python", "docker.io/library/python:latest", "python:latest" },
		{ "registry-1.docker.io/a", "docker.io/library/a:latest", "a:latest" },
		{ "a__b/c--d.e_f", "docker.io/a__b/c--d.e_f:latest", "a__b/c--d.e_f:latest" },
		{ "x@" DIGEST, "docker.io/library/x@" DIGEST, "x@" DIGEST },
		{ "x:t@" DIGEST, "docker.io/library/x:t@" DIGEST, "x:t@" DIGEST },
		{ "cafe", "docker.io/library/cafe:latest", "cafe:latest" },
	};

	(void)state;
	for (size_t i = 0; i < SB_ARRAY_SIZE(rows); i++) {
		struct sb_err err = SB_ERR_INIT;
		struct sb_image_ref ref, again;
		char buf[SB_REFERENCE_SIZE];

		assert_int_equal(sb_reference_parse(rows[i].text, &ref, &err), 0);
		sb_reference_format(&ref, buf, sizeof(buf));
		assert_string_equal(buf, rows[i].full);
		/* The full form means itself. */
		assert_int_equal(sb_reference_parse(buf, &again, &err), 0);
		assert_string_equal(again.name, ref.name);
		sb_reference_familiar(&ref, buf, sizeof(buf));
		assert_string_equal(buf, rows[i].familiar);
		/* So does the short one. */
		assert_int_equal(sb_reference_parse(buf, &again, &err), 0);
		assert_string_equal(again.name, ref.name);
	}
}

static void what_is_no_reference_is_refused(void **state)
{
	static const char *const bad[] = {
		"",
		" ",
		"A",
		"x:",
		":t",
		"x:-t",
		"x:.t",
		"x@",
		"x@sha256:12",
		"/x",
		"x/",
		"a//b",
		"a/../b",
		"-x",
		"x-",
		"x..y",
		"x___y",
		"x._y",
		"h:0/x",
		"h:65536/x",
		"h:/x",
		"h:5000:1/x",
		"[::1/x",
		"[g::1]:5000/x",
		"[]/x",
		"::1/x",
		"-h.a/x",
		"h-.a/x",
		"h..a/x",
		"x y",
		"x\ny",
		"x%2Fy",
		HEX64,
		"x@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0",
		"x@sha512:0123456789abcdef0123456789abcdef",
		"h.a/UPPER",
		"HOST/x", /* in lower case it would be a user of Docker Hub */
		"../x",
		".",
		"x:a/b:c:d",
		"x@y@sha256:01",
	};

	(void)state;
	for (size_t i = 0; i < SB_ARRAY_SIZE(bad); i++) {
		struct sb_err err = SB_ERR_INIT;
		struct sb_image_ref ref;

		if (sb_reference_parse(bad[i], &ref, &err) != -EINVAL)
			fail_msg("'%s' was accepted", bad[i]);
		assert_true(err.msg[0]);
	}
}

static void a_scheme_is_refused_with_a_hint(void **state)
{
	struct sb_err err = SB_ERR_INIT;
	struct sb_image_ref ref;

	(void)state;
	assert_int_equal(sb_reference_parse("docker://a.b/x:1", &ref, &err), -EINVAL);
	assert_string_equal(err.hint, "write it without docker://");
	assert_int_equal(sb_reference_parse("https://a.b/x", &ref, &err), -EINVAL);
	assert_string_equal(err.hint, "write it without https://");
}

static void lengths_are_bounded(void **state)
{
	struct sb_err err = SB_ERR_INIT;
	struct sb_image_ref ref;
	char text[1024];

	(void)state;
	/* "docker.io/library/" is 18 bytes of the 255. */
	memset(text, 'a', sizeof(text));
	text[255 - 18] = '\0';
	assert_int_equal(sb_reference_parse(text, &ref, &err), 0);
	assert_int_equal(strlen(ref.name), 255);
	text[255 - 18] = 'a';
	text[256 - 18] = '\0';
	assert_int_equal(sb_reference_parse(text, &ref, &err), -EINVAL);
	memset(text, 'a', sizeof(text));
	text[1] = ':';
	text[2 + 128] = '\0';
	assert_int_equal(sb_reference_parse(text, &ref, &err), 0);
	text[2 + 128] = 'a';
	text[2 + 129] = '\0';
	assert_int_equal(sb_reference_parse(text, &ref, &err), -EINVAL);
	text[2 + 129] = 'a';
	text[1023] = '\0';
	assert_int_equal(sb_reference_parse(text, &ref, &err), -EINVAL);
}

static void only_sha256_digests_become_file_names(void **state)
{
	char name[SB_DIGEST_SIZE], digest[SB_DIGEST_SIZE];

	(void)state;
	assert_true(sb_digest_is_valid(DIGEST));
	assert_false(sb_digest_is_valid(DIGEST "0"));
	assert_false(sb_digest_is_valid("sha256:../../etc"));
	assert_false(sb_digest_is_valid("sha256:"));
	assert_false(sb_digest_is_valid("sha256:0123456789ABCDEF0123456789abcdef0123456789abcdef"
					"0123456789abcdef"));
	sb_digest_file_name(DIGEST, name);
	assert_string_equal(name, "sha256-" HEX64);
	assert_int_equal(sb_digest_from_file_name(name, digest), 0);
	assert_string_equal(digest, DIGEST);
	assert_int_equal(sb_digest_from_file_name("sha256-12.json", digest), -EINVAL);
	assert_int_equal(sb_digest_from_file_name(DIGEST, digest), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_are_completed_as_docker_does),
		cmocka_unit_test(what_is_no_reference_is_refused),
		cmocka_unit_test(a_scheme_is_refused_with_a_hint),
		cmocka_unit_test(lengths_are_bounded),
		cmocka_unit_test(only_sha256_digests_become_file_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
