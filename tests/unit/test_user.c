/* SPDX-License-Identifier: Apache-2.0 */
/* test_user.c - user strings against hostile and missing user databases (T14, T15, T16) */
#include "tests/unit/unit.h"

#include <sys/stat.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/err.h"
#include "runtime/base/path.h"
#include "runtime/container/user.h"

/* A root file system in a directory of its own. */
struct root {
	char path[32];
	int fd;
	int etc;
};

static const char passwd[] = "root:x:0:0:root:/root:/bin/sh\n"
			     "# a comment\n"
			     "broken\n"
			     "evil:x:4294967296:0::/evil:/bin/sh\n"
			     "minus:x:-1:-1::/minus:/bin/sh\n"
			     "4294967296:x:0:0::/number:/bin/sh\n"
			     "007:x:7:7::/bond:/bin/sh\n"
			     "0x1:x:0:0::/hex:/bin/sh\n"
			     "web:x:1000:1001::/srv/web:/bin/sh\n"
			     "web:x:0:0::/root:/bin/sh\n"
			     "odd:x:1002:1002::relative:/bin/sh\n"
			     "last:x:1003:1003::/last:/bin/sh"; /* no newline */
static const char group[] = "root:x:0:\n"
			    "bad:x:99999999999:web\n"
			    "wheel:x:10:web,last\n"
			    "websites:x:33:webmaster,xweb\n"
			    "staff:x:50:web\n"
			    "web:x:1001:web\n"
			    "staff2:x:50:web\n"
			    "1:x:0:web1\n";

static int setup(void **state)
{
	struct root *r = calloc(1, sizeof(*r));

	r->fd = unit_tmpdir(r->path);
	assert_int_equal(mkdirat(r->fd, "etc", 0755), 0);
	r->etc = openat(r->fd, "etc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	*state = r;
	return 0;
}

static int setup_full(void **state)
{
	struct root *r;

	setup(state);
	r = *state;
	unit_write(r->etc, "passwd", passwd);
	unit_write(r->etc, "group", group);
	return 0;
}

static int teardown(void **state)
{
	struct root *r = *state;

	close(r->etc);
	close(r->fd);
	assert_int_equal(sb_remove_tree_at(AT_FDCWD, r->path), 0);
	free(r);
	return 0;
}

static void resolves(struct root *r, const char *spec, uid_t uid, gid_t gid, const char *home)
{
	struct sb_err err = SB_ERR_INIT;
	struct sb_user u;

	if (sb_user_resolve(r->fd, spec, &u, &err) < 0)
		fail_msg("'%s': %s", spec, err.msg);
	assert_int_equal(u.uid, uid);
	assert_int_equal(u.gid, gid);
	assert_string_equal(u.home, home);
	assert_int_equal(u.groups[0], gid);
}

static void refuses(struct root *r, const char *spec, int code)
{
	struct sb_err err = SB_ERR_INIT;
	struct sb_user u = { .uid = 4711 };

	if (sb_user_resolve(r->fd, spec, &u, &err) != -code)
		fail_msg("'%s' gives uid %u or the wrong error: %d %s", spec, u.uid, err.code,
			 err.msg);
	assert_int_equal(u.uid, 4711); /* outputs are written only on success */
	assert_true(err.msg[0]);
}

static void names_and_ids_resolve(void **state)
{
	resolves(*state, "", 0, 0, "/root");
	resolves(*state, "root", 0, 0, "/root");
	resolves(*state, "0", 0, 0, "/root");
	resolves(*state, "web", 1000, 1001, "/srv/web"); /* the first line counts */
	resolves(*state, "1000", 1000, 1001, "/srv/web");
	resolves(*state, "last", 1003, 1003, "/last");
	resolves(*state, "odd", 1002, 1002, "/"); /* a relative home is none */
	resolves(*state, "web:wheel", 1000, 10, "/srv/web");
	resolves(*state, "web:5", 1000, 5, "/srv/web");
	resolves(*state, "1:2", 1, 2, "/");
	resolves(*state, "1:wheel", 1, 10, "/");
	resolves(*state, "4294967294:4294967294", 4294967294U, 4294967294U, "/");
}

/* CVE-2026-30892: "-u 1" became user 0. */
static void an_unknown_id_is_that_id(void **state)
{
	resolves(*state, "1", 1, 0, "/");
	resolves(*state, "65533", 65533, 0, "/");
}

/* CVE-2026-46680: an id too long for 32 bits was found as a name. */
static void digits_are_never_a_name(void **state)
{
	refuses(*state, "4294967296", EINVAL);
	refuses(*state, "4294967295", EINVAL); /* (uid_t)-1 */
	refuses(*state, "18446744073709551616", EINVAL);
	refuses(*state, "0:4294967296", EINVAL);
	refuses(*state, "99999999999999999999999999999999", EINVAL);
	resolves(*state, "007", 7, 7, "/bond"); /* the id 7, whose line happens to be called so */
	resolves(*state, "0:1", 0, 1, "/root"); /* the id 1, not the group called "1" */
}

static void what_is_neither_name_nor_number_is_refused(void **state)
{
	static const char *const bad[] = {
		"-1",  "+1",   " 1",   "1 ",    "0x1",    "1e3",   "1.0",
		"1:",  ":",    ":1",   "web:",  "::",     "1:2:3", "web:wheel:x",
		"0,1", "we b", "\n",   "web\n", "../etc", "/",     "*",
		"a/b", "1:-1", "1: 2", "1:0x2", "-",      "wéb",   "\x1b[31m",
	};

	for (size_t i = 0; i < SB_ARRAY_SIZE(bad); i++)
		refuses(*state, bad[i], EINVAL);
}

static void unknown_names_are_not_found(void **state)
{
	refuses(*state, "nobody", ENOENT);
	refuses(*state, "web:nogroup", ENOENT);
	refuses(*state, "WEB", ENOENT);
	refuses(*state, "evil", ENOENT); /* its line has an impossible id */
	refuses(*state, "minus", ENOENT);
	refuses(*state, "broken", ENOENT);
	refuses(*state, "web:bad", ENOENT);
}

static void a_very_long_name_is_refused(void **state)
{
	char name[5000];

	memset(name, 'a', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	refuses(*state, name, EINVAL);
	memset(name, '1', sizeof(name) - 1);
	refuses(*state, name, EINVAL);
}

/* CVE-2023-25173, CVE-2022-36109. */
static void supplementary_groups_come_from_the_image(void **state)
{
	struct root *r = *state;
	struct sb_err err = SB_ERR_INIT;
	struct sb_user u;

	assert_int_equal(sb_user_resolve(r->fd, "web", &u, &err), 0);
	assert_int_equal(u.n_groups, 3);
	assert_int_equal(u.groups[0], 1001); /* the primary one too, and only once */
	assert_int_equal(u.groups[1], 10);
	assert_int_equal(u.groups[2], 50);
	assert_int_equal(sb_user_resolve(r->fd, "1000", &u, &err), 0);
	assert_int_equal(u.n_groups, 3);
}

/* OCI image-spec, config.md, "User". */
static void an_explicit_group_replaces_the_supplementary_ones(void **state)
{
	struct root *r = *state;
	struct sb_err err = SB_ERR_INIT;
	struct sb_user u;

	assert_int_equal(sb_user_resolve(r->fd, "web:staff", &u, &err), 0);
	assert_int_equal(u.n_groups, 1);
	assert_int_equal(u.groups[0], 50);
}

static void ids_need_no_databases(void **state)
{
	resolves(*state, "", 0, 0, "/");
	resolves(*state, "5", 5, 0, "/");
	resolves(*state, "5:6", 5, 6, "/");
	refuses(*state, "web", ENOENT);
	refuses(*state, "0:wheel", ENOENT);
	assert_int_equal(unlinkat(((struct root *)*state)->fd, "etc", AT_REMOVEDIR), 0);
	resolves(*state, "5", 5, 0, "/");
}

/* CVE-2026-47262. */
static void more_than_64_groups_are_refused(void **state)
{
	struct root *r = *state;
	struct sb_err err = SB_ERR_INIT;
	char text[4096];
	size_t len = 0;
	struct sb_user u;

	unit_write(r->etc, "passwd", "web:x:1:1::/:\n");
	for (int i = 2; i <= SB_USER_GROUPS_MAX; i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len, "g%d:x:%d:web\n", i, i);
	unit_write(r->etc, "group", text);
	assert_int_equal(sb_user_resolve(r->fd, "web", &u, &err), 0);
	assert_int_equal(u.n_groups, SB_USER_GROUPS_MAX);
	snprintf(text + len, sizeof(text) - len, "one:x:99:x,web\n");
	assert_int_equal(unlinkat(r->etc, "group", 0), 0);
	unit_write(r->etc, "group", text);
	refuses(r, "web", EINVAL);
	resolves(r, "web:1", 1, 1, "/"); /* but the way out works */
}

static void giant_databases_are_refused_at_once(void **state)
{
	struct root *r = *state;

	unit_write(r->etc, "passwd", "root:x:0:0::/root:\n");
	assert_int_equal(fchmodat(r->etc, "passwd", 0644, 0), 0);
	for (int i = 0; i < 2; i++) {
		_cleanup_fd_ int fd =
			openat(r->etc, i ? "group" : "passwd", O_RDWR | O_CREAT | O_CLOEXEC, 0644);

		assert_int_equal(ftruncate(fd, 1L << 30), 0);
		refuses(r, "root", EFBIG);
		resolves(r, "0:0", 0, 0, i ? "/root" : "/");
		assert_int_equal(ftruncate(fd, 19), 0);
	}
}

/* CVE-2024-9676: a FIFO or a link there hung the reader or led it to a file of the host. */
static void only_regular_files_inside_the_root_are_read(void **state)
{
	struct root *r = *state;
	char outside[64];

	assert_int_equal(mkfifoat(r->etc, "passwd", 0644), 0);
	refuses(r, "root", EINVAL);
	resolves(r, "3:4", 3, 4, "/");
	assert_int_equal(unlinkat(r->etc, "passwd", 0), 0);

	assert_int_equal(mkdirat(r->etc, "passwd", 0755), 0);
	refuses(r, "root", EINVAL);
	assert_int_equal(unlinkat(r->etc, "passwd", AT_REMOVEDIR), 0);

	assert_int_equal(symlinkat("../../../../../../etc/passwd", r->etc, "passwd"), 0);
	refuses(r, "root", ELOOP); /* the link itself, once ".." stops at the root */
	assert_int_equal(unlinkat(r->etc, "passwd", 0), 0);

	unit_write(r->fd, "outside", "web:x:1:1::/:\n");
	snprintf(outside, sizeof(outside), "%s/outside", r->path);
	assert_int_equal(symlinkat(outside, r->etc, "passwd"), 0);
	refuses(r, "web", ENOENT);
	assert_int_equal(unlinkat(r->etc, "passwd", 0), 0);

	assert_int_equal(symlinkat("/outside", r->etc, "passwd"), 0);
	resolves(r, "web", 1, 1, "/"); /* absolute links mean the container's root */
}

static void garbage_is_skipped(void **state)
{
	struct root *r = *state;
	char junk[3000];
	_cleanup_fd_ int fd = openat(r->etc, "passwd", O_WRONLY | O_CREAT | O_CLOEXEC, 0644);

	for (size_t i = 0; i < sizeof(junk); i++)
		junk[i] = (char)(i * 7 + i / 13);
	assert_int_equal(write(fd, junk, sizeof(junk)), sizeof(junk));
	assert_int_equal(write(fd, "\n:::::\n\nweb:x:9:8::/w:\n", 23), 23);
	resolves(r, "web", 9, 8, "/w");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(names_and_ids_resolve, setup_full, teardown),
		cmocka_unit_test_setup_teardown(an_unknown_id_is_that_id, setup_full, teardown),
		cmocka_unit_test_setup_teardown(digits_are_never_a_name, setup_full, teardown),
		cmocka_unit_test_setup_teardown(what_is_neither_name_nor_number_is_refused,
						setup_full, teardown),
		cmocka_unit_test_setup_teardown(unknown_names_are_not_found, setup_full, teardown),
		cmocka_unit_test_setup_teardown(a_very_long_name_is_refused, setup_full, teardown),
		cmocka_unit_test_setup_teardown(supplementary_groups_come_from_the_image,
						setup_full, teardown),
		cmocka_unit_test_setup_teardown(an_explicit_group_replaces_the_supplementary_ones,
						setup_full, teardown),
		cmocka_unit_test_setup_teardown(ids_need_no_databases, setup, teardown),
		cmocka_unit_test_setup_teardown(more_than_64_groups_are_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(giant_databases_are_refused_at_once, setup,
						teardown),
		cmocka_unit_test_setup_teardown(only_regular_files_inside_the_root_are_read, setup,
						teardown),
		cmocka_unit_test_setup_teardown(garbage_is_skipped, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
