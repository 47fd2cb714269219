/* SPDX-License-Identifier: Apache-2.0 */
/* test_image_settings.c - the configuration file, and the hosts that follow from it */
#include "images/settings.h"

#include "tests/unit/unit.h"

#include "images/hosts.h"
#include "images/reference.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/err.h"

/* Write a configuration and load it. */
static int load(const struct unit_dir *f, const char *text, struct sb_settings *s,
		struct sb_err *err)
{
	char path[64];

	(void)unlinkat(f->dir, "config.json", 0);
	unit_write(f->dir, "config.json", text);
	snprintf(path, sizeof(path), "%s/config.json", f->path);
	setenv("SBRUN_CONFIG", path, 1);
	return sb_settings_load(s, err);
}

static void everything_is_read(void **state)
{
	const struct unit_dir *f = *state;
	struct sb_settings s = SB_SETTINGS_INIT;
	struct sb_err err = SB_ERR_INIT;
	const struct sb_settings_registry *r;
	char text[512];

	unit_write(f->dir, "ca.pem", "-----BEGIN CERTIFICATE-----");
	snprintf(text, sizeof(text),
		 "{\"registries\":{\"[::1]:5000\":{\"mirrors\":[\"a.b\",\"c:5/d/e\"],"
		 "\"insecure\":true,\"ca\":\"%s/ca.pem\"},\"x.y\":{\"blocked\":true}},"
		 "\"limits\":{\"tarBytes\":1048576,\"depth\":5},\"pull\":\"never\"}",
		 f->path);
	assert_int_equal(load(f, text, &s, &err), 0);
	r = sb_settings_registry(&s, "[::1]:5000");
	assert_non_null(r);
	assert_true(r->insecure);
	assert_false(r->blocked);
	assert_int_equal(r->mirrors.n, 2);
	assert_string_equal(r->mirrors.v[1], "c:5/d/e");
	assert_string_equal(r->ca_pem, "-----BEGIN CERTIFICATE-----");
	assert_true(sb_settings_registry(&s, "x.y")->blocked);
	assert_null(sb_settings_registry(&s, "x"));
	assert_int_equal(s.limits.tar_bytes, 1048576);
	assert_int_equal(s.limits.depth, 5);
	assert_int_equal(s.limits.ratio, 200);
	assert_int_equal(s.pull, SB_PULL_NEVER);
	sb_settings_done(&s);
}

static void hosts_are_the_same_in_any_case_of_letters(void **state)
{
	struct sb_settings s = SB_SETTINGS_INIT;
	struct sb_err err = SB_ERR_INIT;

	assert_int_equal(load(*state,
			      "{\"registries\":{\"LOCALHOST:5000\":{\"blocked\":true},"
			      "\"a.b\":{\"mirrors\":[\"Mirror.Example/hub\"]}}}",
			      &s, &err),
			 0);
	assert_true(sb_settings_registry(&s, "localhost:5000")->blocked);
	assert_string_equal(sb_settings_registry(&s, "a.b")->mirrors.v[0], "mirror.example/hub");
	sb_settings_done(&s);
	assert_int_equal(load(*state, "{\"registries\":{\"a.b\":{},\"A.b\":{}}}", &s, &err),
			 -EINVAL);
	assert_non_null(strstr(err.msg, "it is there twice"));
}

static void a_missing_file_is_an_error_only_if_it_was_named(void **state)
{
	struct sb_settings s = SB_SETTINGS_INIT;
	struct sb_err err = SB_ERR_INIT;

	(void)state;
	setenv("SBRUN_CONFIG", "/nonexistent/x.json", 1);
	assert_int_equal(sb_settings_load(&s, &err), -ENOENT);
	assert_non_null(strstr(err.msg, "/nonexistent/x.json"));
	if (access(SB_SETTINGS_FILE, F_OK) == 0)
		return; /* this machine has one of its own */
	unsetenv("SBRUN_CONFIG");
	assert_int_equal(sb_settings_load(&s, &err), 0);
	assert_int_equal(s.pull, SB_PULL_MISSING);
	assert_int_equal(s.limits.entries, 1000000);
}

static void what_is_wrong_is_refused_by_name(void **state)
{
	static const struct {
		const char *text, *said;
	} rows[] = {
		{ "", "not JSON" },
		{ "[]", "not an object" },
		{ "{\"registry\":{}}", "'registry'" },
		{ "{\"registries\":[]}", "'registries'" },
		{ "{\"registries\":{\"x\":{}}}", "'x' is not a registry" },
		{ "{\"registries\":{\"https://x.y\":{}}}", "'https://x.y'" },
		{ "{\"registries\":{\"x.y/z\":{}}}", "'x.y/z'" },
		{ "{\"registries\":{\"index.docker.io\":{}}}", "'docker.io'" },
		{ "{\"registries\":{\"Registry-1.docker.io\":{}}}", "'docker.io'" },
		{ "{\"registries\":{\"x.y\":true}}", "'x.y'" },
		{ "{\"registries\":{\"x.y\":{\"block\":true}}}", "'block'" },
		{ "{\"registries\":{\"x.y\":{\"blocked\":\"yes\"}}}", "'blocked'" },
		{ "{\"registries\":{\"x.y\":{\"ca\":5}}}", "'ca'" },
		{ "{\"registries\":{\"x.y\":{\"ca\":\"/nonexistent/ca\"}}}", "'/nonexistent/ca'" },
		{ "{\"registries\":{\"x.y\":{\"ca\":\"ca.pem\"}}}", "'ca.pem'" },
		{ "{\"registries\":{\"x.y\":{\"ca\":\"/etc/hostname\"}}}", "'/etc/hostname'" },
		{ "{\"registries\":{\"x.y\":{\"mirrors\":\"a.b\"}}}", "'mirrors'" },
		{ "{\"registries\":{\"x.y\":{\"mirrors\":[\"https://a.b\"]}}}", "'https://a.b'" },
		{ "{\"registries\":{\"x.y\":{\"mirrors\":[\"a.b/\"]}}}", "'a.b/'" },
		{ "{\"registries\":{\"x.y\":{\"mirrors\":[\"a.b/../c\"]}}}", "'a.b/../c'" },
		{ "{\"registries\":{\"x.y\":{\"mirrors\":[\"\"]}}}", "''" },
		{ "{\"registries\":{\"x.y\":{\"mirrors\":[\"A.b/c\"]},\"a.B\":{\"blocked\":true}}}",
		  "registry 'x.y': its mirror 'a.b' is blocked" },
		{ "{\"limits\":{\"ratio\":0}}", "'ratio' must be from 1 to 1000000" },
		{ "{\"limits\":{\"ratio\":1.5}}", "'ratio'" },
		{ "{\"limits\":{\"tarBytes\":\"1g\"}}", "'tarBytes'" },
		{ "{\"limits\":{\"bytes\":1}}", "'bytes'" },
		{ "{\"pull\":\"sometimes\"}", "'sometimes'" },
		{ "{\"pull\":\"never\",\"pull\":\"always\"}", "duplicate" },
	};

	for (size_t i = 0; i < SB_ARRAY_SIZE(rows); i++) {
		struct sb_settings s = SB_SETTINGS_INIT;
		struct sb_err err = SB_ERR_INIT;

		assert_true(load(*state, rows[i].text, &s, &err) < 0);
		assert_non_null(strstr(err.msg, rows[i].said));
		assert_non_null(strstr(err.msg, "/config.json'"));
		assert_null(s.registries);
	}
}

static struct sb_hosts *hosts_of(const char *reference, const struct sb_settings *s,
				 struct sb_err *err)
{
	struct sb_image_ref ref;

	assert_int_equal(sb_reference_parse(reference, &ref, err), 0);
	return sb_hosts_for_image(&ref, s, err);
}

static void a_registry_is_asked_where_it_answers(void **state)
{
	static const struct {
		const char *reference, *host;
		bool plain;
	} rows[] = {
		{ "python", "registry-1.docker.io", false },
		{ "quay.io/x", "quay.io", false },
		{ "localhost/x", "localhost", true },
		{ "localhost:5000/x", "localhost:5000", true },
		{ "127.0.0.1:5000/x", "127.0.0.1:5000", true },
		{ "127.9.8.7/x", "127.9.8.7", true },
		{ "[::1]:5000/x", "[::1]:5000", true },
		{ "[0:0::1]/x", "[0:0::1]", true },
		{ "[::2]:5000/x", "[::2]:5000", false },
		{ "127.0.0.1.evil.example/x", "127.0.0.1.evil.example", false },
		{ "localhost.evil.example/x", "localhost.evil.example", false },
		{ "128.0.0.1/x", "128.0.0.1", false },
	};
	const struct sb_settings s = SB_SETTINGS_INIT;

	setenv("REGISTRY_AUTH_FILE", "/nonexistent/auth.json", 1);
	(void)state;
	for (size_t i = 0; i < SB_ARRAY_SIZE(rows); i++) {
		struct sb_err err = SB_ERR_INIT;
		_cleanup_hosts_ struct sb_hosts *h = hosts_of(rows[i].reference, &s, &err);

		assert_non_null(h);
		assert_int_equal(h->n, 1);
		assert_string_equal(h->v[0].host, rows[i].host);
		assert_string_equal(h->v[0].prefix, "");
		assert_null(h->v[0].ns);
		assert_int_equal(h->v[0].plain_allowed, rows[i].plain);
		assert_false(h->v[0].insecure);
		assert_null(h->v[0].username);
	}
}

static void who_has_named_a_ca_gets_no_plain_http(void **state)
{
	const struct unit_dir *f = *state;
	struct sb_settings s = SB_SETTINGS_INIT;
	struct sb_err err = SB_ERR_INIT;
	struct sb_hosts *h;
	char text[256];

	setenv("REGISTRY_AUTH_FILE", "/nonexistent/auth.json", 1);
	unit_write(f->dir, "ca.pem", "-----BEGIN CERTIFICATE-----");
	snprintf(text, sizeof(text), "{\"registries\":{\"[::1]:5000\":{\"ca\":\"%s/ca.pem\"}}}",
		 f->path);
	assert_int_equal(load(f, text, &s, &err), 0);
	h = hosts_of("[::1]:5000/x", &s, &err);
	assert_non_null(h);
	assert_non_null(h->v[0].ca_pem);
	assert_false(h->v[0].plain_allowed);
	sb_hosts_free(h);
	sb_settings_done(&s);
}

static void mirrors_come_first_and_with_credentials_of_their_own(void **state)
{
	const struct unit_dir *f = *state;
	struct sb_settings s = SB_SETTINGS_INIT;
	struct sb_err err = SB_ERR_INIT;
	struct sb_hosts *h;
	char path[64];

	unit_write(f->dir, "auth.json",
		   "{\"auths\":{\"docker.io\":{\"auth\":\"YTph\"},"
		   "\"own.example/hub\":{\"auth\":\"YjpiYg==\"}}}");
	snprintf(path, sizeof(path), "%s/auth.json", f->path);
	setenv("REGISTRY_AUTH_FILE", path, 1);
	assert_int_equal(load(f,
			      "{\"registries\":{\"docker.io\":{\"mirrors\":"
			      "[\"own.example/hub\",\"other.example:5000\"]},"
			      "\"other.example:5000\":{\"insecure\":true}}}",
			      &s, &err),
			 0);
	h = hosts_of("python:3", &s, &err);
	assert_non_null(h);
	assert_int_equal(h->n, 3);
	assert_string_equal(h->v[0].host, "own.example");
	assert_string_equal(h->v[0].prefix, "hub");
	assert_string_equal(h->v[0].ns, "docker.io");
	assert_string_equal(h->v[0].username, "b");
	assert_string_equal(h->v[0].password, "bb");
	assert_string_equal(h->v[1].host, "other.example:5000");
	assert_true(h->v[1].insecure && h->v[1].plain_allowed);
	assert_null(h->v[1].username);
	assert_string_equal(h->v[2].host, "registry-1.docker.io");
	assert_string_equal(h->v[2].username, "a");
	assert_null(h->v[2].ns);
	sb_hosts_free(h);
	sb_settings_done(&s);
}

static void a_blocked_registry_is_not_asked(void **state)
{
	struct sb_settings s = SB_SETTINGS_INIT;
	struct sb_err err = SB_ERR_INIT;

	assert_int_equal(
		load(*state, "{\"registries\":{\"docker.io\":{\"blocked\":true}}}", &s, &err), 0);
	assert_null(hosts_of("python", &s, &err));
	assert_int_equal(err.code, EPERM);
	assert_non_null(strstr(err.msg, "'docker.io' is blocked"));
	assert_string_equal(strstr(err.hint, "by "), err.hint);
	assert_non_null(strstr(err.hint, "'docker.io'"));
	assert_non_null(strstr(err.hint, "/config.json'"));
	assert_null(hosts_of("DOCKER.IO/python", &s, &err));
	assert_null(hosts_of("registry-1.docker.io/library/python", &s, &err));
	sb_settings_done(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		UNIT_IN_DIR(everything_is_read),
		UNIT_IN_DIR(hosts_are_the_same_in_any_case_of_letters),
		UNIT_IN_DIR(a_missing_file_is_an_error_only_if_it_was_named),
		UNIT_IN_DIR(what_is_wrong_is_refused_by_name),
		UNIT_IN_DIR(a_registry_is_asked_where_it_answers),
		UNIT_IN_DIR(who_has_named_a_ca_gets_no_plain_http),
		UNIT_IN_DIR(mirrors_come_first_and_with_credentials_of_their_own),
		UNIT_IN_DIR(a_blocked_registry_is_not_asked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
