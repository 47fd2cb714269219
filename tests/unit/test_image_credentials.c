/* SPDX-License-Identifier: Apache-2.0 */
/* test_image_credentials.c - credentials are found where docker and podman leave them, and kept */
#include "images/credentials.h"

#include "tests/unit/unit.h"

#include <sys/stat.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/json.h"

/* printf 'user:pa:ss' | base64, and so on */
#define AUTH(s)   "{\"auth\":\"" s "\"}"
#define USER_PASS "dXNlcjpwYTpzcw=="
#define A_A       "YTph"
#define B_B       "YjpiYg=="

/* A helper that knows one registry, remembers what it was told, and shows its environment. */
static const char helper[] =
	"#!/bin/sh\n"
	"echo \"$1 $(cat) ${SECRET_OF_OURS-clean}\" >>\"$HOME/helper.log\"\n"
	"case $1 in\n"
	"get) case $(tail -n 1 \"$HOME/helper.log\") in\n"
	"     *token.example*) echo '{\"Username\":\"<token>\",\"Secret\":\"idt\"}' ;;\n"
	"     *index.docker.io/v1/*) echo '{\"Username\":\"hub\",\"Secret\":\"x\"}' ;;\n"
	"     *broken.example*) echo 'the key ring is locked'; exit 1 ;;\n"
	"     *odd.example*) echo '<html>' ;;\n"
	"     *) echo 'credentials not found in native keychain'; exit 1 ;;\n"
	"     esac ;;\n"
	"esac\n";

/* A home with empty places for the files, and the helper in PATH. */
static int setup(void **state)
{
	struct unit_dir *b = calloc(1, sizeof(*b));
	char path[200];

	b->dir = unit_tmpdir(b->path);
	assert_int_equal(mkdirat(b->dir, ".docker", 0700), 0);
	assert_int_equal(mkdirat(b->dir, "containers", 0700), 0);
	assert_int_equal(mkdirat(b->dir, "bin", 0700), 0);
	unit_write(b->dir, "bin/docker-credential-test", helper);
	assert_int_equal(fchmodat(b->dir, "bin/docker-credential-test", 0755, 0), 0);
	snprintf(path, sizeof(path), "%s/bin:/usr/bin:/bin", b->path);
	setenv("PATH", path, 1);
	setenv("HOME", b->path, 1);
	setenv("XDG_RUNTIME_DIR", b->path, 1);
	setenv("SECRET_OF_OURS", "leaked", 1);
	unsetenv("XDG_CONFIG_HOME");
	unsetenv("DOCKER_CONFIG");
	unsetenv("REGISTRY_AUTH_FILE");
	*state = b;
	return 0;
}

static void put(const struct unit_dir *b, const char *name, const char *text)
{
	(void)unlinkat(b->dir, name, 0);
	unit_write(b->dir, name, text);
}

/* Find, and compare with "user/password/identity token", "none" or "error". */
static bool finds(const char *name, const char *expected, struct sb_err *err)
{
	struct sb_credentials c = SB_CREDENTIALS_INIT;
	int r = sb_credentials_find(name, &c, err);
	char line[256];

	snprintf(line, sizeof(line), "%s", r < 0 ? "error" : "none");
	if (r > 0)
		snprintf(line, sizeof(line), "%s/%s/%s", c.username ? c.username : "",
			 c.password ? c.password : "", c.identity_token ? c.identity_token : "");
	/* Where they are from is told whenever there are some. */
	assert_int_equal(c.source != NULL, r > 0);
	if (c.source && c.source[0] != '/')
		assert_string_equal(c.source, "docker-credential-test");
	sb_credentials_done(&c);
	if (strcmp(line, expected) != 0)
		print_message("%s: %s instead of %s\n", name, line, expected);
	return !strcmp(line, expected);
}

static int erase(const char *host, struct sb_err *err)
{
	_cleanup_json_ json_t *kept = json_array();

	return sb_credentials_erase(host, kept, err);
}

static void keys_are_matched_as_docker_and_podman_do(void **state)
{
	static const struct {
		const char *key, *name, *found;
	} rows[] = {
		{ "https://index.docker.io/v1/", "docker.io/library/python", "user/pa:ss/" },
		{ "index.docker.io", "docker.io/x/y", "user/pa:ss/" },
		{ "docker.io", "docker.io/x/y", "user/pa:ss/" },
		{ "quay.io", "quay.io/user/app", "user/pa:ss/" },
		{ "http://quay.io/v2/", "quay.io/user/app", "user/pa:ss/" },
		{ "quay.io/user", "quay.io/user/app", "user/pa:ss/" },
		{ "quay.io/user/app", "quay.io/user/app", "user/pa:ss/" },
		{ "[::1]:5000", "[::1]:5000/app", "user/pa:ss/" },
		{ "https://[::1]:5000", "[::1]:5000/app", "user/pa:ss/" },
		{ "QUAY.io/user", "quay.io/user/app", "user/pa:ss/" },
		{ "quay.io/User", "quay.io/user/app", "none" },
		{ "quay.io/use", "quay.io/user/app", "none" },
		{ "quay.io/other", "quay.io/user/app", "none" },
		{ "quay.io:443", "quay.io/user/app", "none" },
		{ "quay.io", "quay.io.evil.example/app", "none" },
		{ "", "quay.io/app", "none" },
		{ "https://", "quay.io/app", "none" },
		{ "docker.io", "index.docker.io.evil/app", "none" },
	};

	for (size_t i = 0; i < SB_ARRAY_SIZE(rows); i++) {
		struct sb_err err = SB_ERR_INIT;
		char text[256];

		snprintf(text, sizeof(text), "{\"auths\":{\"%s\":" AUTH(USER_PASS) "}}",
			 rows[i].key);
		put(*state, ".docker/config.json", text);
		assert_true(finds(rows[i].name, rows[i].found, &err));
	}
}

static void the_longest_key_and_the_first_file_win(void **state)
{
	struct sb_err err = SB_ERR_INIT;

	put(*state, ".docker/config.json",
	    "{\"auths\":{\"q.io\":" AUTH(USER_PASS) ",\"r.io\":" AUTH(USER_PASS) "}}");
	put(*state, "containers/auth.json",
	    "{\"auths\":{\"q.io/a\":" AUTH(A_A) ",\"q.io/a/b\":" AUTH(B_B) "}}");
	assert_true(finds("q.io/a/b", "b/bb/", &err));
	assert_true(finds("q.io/a/c", "a/a/", &err));
	assert_true(finds("q.io/x", "user/pa:ss/", &err));
	assert_true(finds("r.io/x", "user/pa:ss/", &err));
	assert_true(finds("s.io/x", "none", &err));
}

static void a_named_file_is_the_only_one(void **state)
{
	struct unit_dir *b = *state;
	struct sb_err err = SB_ERR_INIT;
	char path[64];

	put(b, ".docker/config.json", "{\"auths\":{\"q.io\":" AUTH(USER_PASS) "}}");
	snprintf(path, sizeof(path), "%s/mine.json", b->path);
	setenv("REGISTRY_AUTH_FILE", path, 1);
	assert_true(finds("q.io/x", "none", &err));
	put(b, "mine.json", "{\"auths\":{\"q.io\":" AUTH(A_A) "}}");
	assert_true(finds("q.io/x", "a/a/", &err));
}

static void other_forms_of_an_entry_are_read(void **state)
{
	struct sb_err err = SB_ERR_INIT;

	put(*state, ".docker/config.json",
	    "{\"auths\":{\"a.io\":{\"identitytoken\":\"idt\",\"auth\":\"YTph\"},"
	    "\"b.io\":{\"username\":\"u\",\"password\":\"p\"},\"c.io\":{}}}");
	assert_true(finds("a.io/x", "a/a/idt", &err));
	assert_true(finds("b.io/x", "u/p/", &err));
	assert_true(finds("c.io/x", "none", &err));
}

static void broken_files_are_named_without_their_secrets(void **state)
{
	static const char *const rows[] = {
		"[]",
		"{\"auths\":[\"secret\"]}",
		"{\"credHelpers\":\"secret\"}",
		"{\"credsStore\":[\"secret\"]}",
		"{\"auths\":",
		"{\"auths\":{\"q.io\":\"secret\"}}",
		"{\"auths\":{\"q.io\":{\"auth\":\"secret!\"}}}",
		"{\"auths\":{\"q.io\":{\"auth\":\"c2VjcmV0\"}}}", /* no colon */
		"{\"auths\":{\"q.io\":{\"auth\":5}}}",
		"{\"credHelpers\":{\"q.io\":\"../secret\"}}",
	};

	for (size_t i = 0; i < SB_ARRAY_SIZE(rows); i++) {
		struct sb_err err = SB_ERR_INIT;

		put(*state, ".docker/config.json", rows[i]);
		assert_true(finds("q.io/x", "error", &err));
		assert_non_null(strstr(err.msg, "/.docker/config.json'"));
		assert_null(strstr(err.msg, "secret"));
	}
}

static void an_empty_file_has_no_credentials(void **state)
{
	struct sb_err err = SB_ERR_INIT;

	/* As mktemp(1) leaves it, for a login to come. */
	put(*state, ".docker/config.json", "\n");
	assert_true(finds("q.io/x", "none", &err));
}

static void helpers_are_asked(void **state)
{
	struct unit_dir *b = *state;
	_cleanup_free_ char *log = NULL;
	struct sb_err err = SB_ERR_INIT;

	put(b, ".docker/config.json",
	    "{\"credHelpers\":{\"token.example\":\"test\",\"absent.example\":\"none-such\"},"
	    "\"auths\":{\"q.io\":" AUTH(A_A) "}}");
	assert_true(finds("token.example/x", "//idt", &err));
	assert_true(finds("q.io/x", "a/a/", &err));
	assert_true(finds("absent.example/x", "error", &err));
	assert_non_null(strstr(err.msg, "'docker-credential-none-such' is not installed"));
	put(b, ".docker/config.json",
	    "{\"credsStore\":\"test\",\"auths\":{\"q.io\":" AUTH(A_A) "}}");
	assert_true(finds("docker.io/library/x", "hub/x/", &err));
	assert_true(finds("q.io/x", "a/a/", &err)); /* it has none: what the file has */
	assert_true(finds("broken.example/x", "error", &err));
	assert_non_null(strstr(err.msg, "the key ring is locked"));
	assert_true(finds("odd.example/x", "error", &err));
	assert_int_equal(sb_read_at(b->dir, "helper.log", 4096, &log, NULL, &err), 0);
	assert_non_null(strstr(log, "get https://index.docker.io/v1/ clean\n"));
	assert_null(strstr(log, "leaked"));
}

static void what_is_stored_is_found_and_the_rest_is_kept(void **state)
{
	struct unit_dir *b = *state;
	struct sb_credentials c = { .username = (char *)"user", .password = (char *)"pa:ss" };
	_cleanup_free_ char *text = NULL;
	struct sb_err err = SB_ERR_INIT;
	char where[200];
	struct stat st;

	put(b, ".docker/config.json", "{\"HttpHeaders\":{\"X\":\"y\"},\"detachKeys\":\"ctrl-x\"}");
	assert_int_equal(sb_credentials_store("docker.io", &c, where, sizeof(where), &err), 0);
	assert_non_null(strstr(where, "/.docker/config.json"));
	assert_true(finds("docker.io/library/x", "user/pa:ss/", &err));
	assert_int_equal(sb_read_at(b->dir, ".docker/config.json", 4096, &text, NULL, &err), 0);
	assert_non_null(strstr(text, "\"https://index.docker.io/v1/\""));
	assert_non_null(strstr(text, "ctrl-x"));
	assert_int_equal(fstatat(b->dir, ".docker/config.json", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0600);

	assert_int_equal(erase("docker.io", &err), 1);
	assert_int_equal(erase("docker.io", &err), 0);
	assert_true(finds("docker.io/library/x", "none", &err));
}

static void an_old_entry_does_not_shadow_a_new_one(void **state)
{
	struct sb_credentials c = { .username = (char *)"new", .password = (char *)"n" };
	struct sb_err err = SB_ERR_INIT;
	char where[200];

	put(*state, "containers/auth.json", "{\"auths\":{\"q.io\":" AUTH(A_A) "}}");
	assert_int_equal(sb_credentials_store("q.io", &c, where, sizeof(where), &err), 0);
	assert_non_null(strstr(where, "/containers/auth.json"));
	assert_true(finds("q.io/x", "new/n/", &err));
}

static void files_are_made_and_links_stay_links(void **state)
{
	struct unit_dir *b = *state;
	struct sb_credentials c = { .username = (char *)"u", .password = (char *)"p" };
	struct sb_err err = SB_ERR_INIT;
	char where[200], path[64];
	struct stat st;

	snprintf(path, sizeof(path), "%s/new/place", b->path);
	setenv("DOCKER_CONFIG", path, 1);
	assert_int_equal(sb_credentials_store("q.io", &c, where, sizeof(where), &err), 0);
	assert_true(finds("q.io/x", "u/p/", &err));
	assert_int_equal(fstatat(b->dir, "new/place", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0700);

	unsetenv("DOCKER_CONFIG");
	put(b, "dotfile", "{}");
	assert_int_equal(symlinkat("../dotfile", b->dir, ".docker/config.json"), 0);
	assert_int_equal(sb_credentials_store("q.io", &c, where, sizeof(where), &err), 0);
	assert_int_equal(fstatat(b->dir, ".docker/config.json", &st, AT_SYMLINK_NOFOLLOW), 0);
	assert_true(S_ISLNK(st.st_mode));
	assert_true(finds("q.io/x", "u/p/", &err));
}

static void a_helper_stores_and_erases(void **state)
{
	struct unit_dir *b = *state;
	struct sb_credentials c = { .username = (char *)"u", .password = (char *)"p\"w" };
	_cleanup_free_ char *log = NULL, *text = NULL;
	struct sb_err err = SB_ERR_INIT;
	char where[200];

	put(b, ".docker/config.json", "{\"credsStore\":\"test\"}");
	assert_int_equal(sb_credentials_store("docker.io", &c, where, sizeof(where), &err), 0);
	assert_string_equal(where, "docker-credential-test");
	assert_int_equal(erase("docker.io", &err), 1);
	assert_int_equal(sb_read_at(b->dir, "helper.log", 4096, &log, NULL, &err), 0);
	assert_non_null(strstr(log, "store {\"ServerURL\":\"https://index.docker.io/v1/\","
				    "\"Username\":\"u\",\"Secret\":\"p\\\"w\"} clean\n"));
	assert_non_null(strstr(log, "erase https://index.docker.io/v1/ clean\n"));
	/* The secret is the helper's: the file has none. */
	assert_int_equal(sb_read_at(b->dir, ".docker/config.json", 4096, &text, NULL, &err), 0);
	assert_string_equal(text, "{\"credsStore\":\"test\"}");
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, unit_dir_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(keys_are_matched_as_docker_and_podman_do),
		TEST(the_longest_key_and_the_first_file_win),
		TEST(a_named_file_is_the_only_one),
		TEST(other_forms_of_an_entry_are_read),
		TEST(broken_files_are_named_without_their_secrets),
		TEST(an_empty_file_has_no_credentials),
		TEST(helpers_are_asked),
		TEST(what_is_stored_is_found_and_the_rest_is_kept),
		TEST(an_old_entry_does_not_shadow_a_new_one),
		TEST(files_are_made_and_links_stay_links),
		TEST(a_helper_stores_and_erases),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
