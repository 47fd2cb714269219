/* SPDX-License-Identifier: Apache-2.0 */
/* test_path.c - no path below a hostile root leads out of it */
#include "runtime/base/path.h"

#include "tests/unit/unit.h"

#include <limits.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/err.h"

struct fixture {
	char path[32]; /* the temporary directory: "outside" */
	int outside;
	int root; /* its subdirectory "root" */
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	f->outside = unit_tmpdir(f->path);
	/* Everybody may look: a test repeats its steps without privileges. */
	assert_int_equal(fchmod(f->outside, 0755), 0);
	assert_int_equal(mkdirat(f->outside, "root", 0777), 0);
	f->root = openat(f->outside, "root", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(f->root >= 0);
	unit_write(f->outside, "secret", "outside");
	unit_write(f->root, "file", "inside");
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	close(f->root);
	close(f->outside);
	assert_int_equal(sb_remove_tree_at(AT_FDCWD, f->path), 0);
	free(f);
	return 0;
}

/* Read what @path means below the root; the negative errno value if it cannot be opened. */
static int peek(int root, const char *path, char buf[16])
{
	int fd = sb_open_in_root(root, path, O_RDONLY, 0);
	ssize_t n;

	if (fd < 0)
		return fd;
	n = read(fd, buf, 15);
	close(fd);
	buf[n > 0 ? n : 0] = '\0';
	return 0;
}

/* Every way out that we know; returns the number of those that worked. */
static int escapes(struct fixture *f)
{
	static const char *const paths[] = {
		"../secret", "/../secret", "dotdot/secret", "abs",
		"up",        "chain",      "magic",         "/../../../../../../etc/passwd",
		"passwd",
	};
	char buf[16];
	int n = 0;

	for (size_t i = 0; i < SB_ARRAY_SIZE(paths); i++)
		if (peek(f->root, paths[i], buf) == 0 && strcmp(buf, "inside") != 0) {
			print_error("%s leads out\n", paths[i]);
			n++;
		}
	return n;
}

static void make_links(struct fixture *f)
{
	char abs[64];

	snprintf(abs, sizeof(abs), "%s/secret", f->path);
	assert_int_equal(symlinkat("..", f->root, "dotdot"), 0);
	assert_int_equal(symlinkat(abs, f->root, "abs"), 0);
	assert_int_equal(symlinkat("../secret", f->root, "up"), 0);
	assert_int_equal(symlinkat("dotdot/up", f->root, "chain"), 0);
	assert_int_equal(symlinkat("/etc/passwd", f->root, "passwd"), 0);
	assert_int_equal(symlinkat("/proc/self/fd/0", f->root, "magic"), 0);
}

static void no_link_or_dotdot_leads_out(void **state)
{
	struct fixture *f = *state;

	make_links(f);
	assert_int_equal(escapes(f), 0);
}

static void no_link_or_dotdot_leads_out_without_privileges(void **state)
{
	struct fixture *f = *state;
	int status;
	pid_t pid;

	make_links(f);
	pid = fork();
	if (pid == 0) {
		if (geteuid() == 0 && (setgid(65534) < 0 || setuid(65534) < 0))
			_exit(100);
		_exit(escapes(f));
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void absolute_links_mean_the_root_itself(void **state)
{
	struct fixture *f = *state;
	char buf[16];

	assert_int_equal(symlinkat("/file", f->root, "link"), 0);
	assert_int_equal(peek(f->root, "/link", buf), 0);
	assert_string_equal(buf, "inside");
	assert_int_equal(peek(f->root, "/../file", buf), 0);
	assert_string_equal(buf, "inside");
}

static void magic_links_are_refused(void **state)
{
	int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	char buf[16];

	(void)state;
	assert_int_equal(peek(root, "/proc/self/root/etc/passwd", buf), -ELOOP);
	close(root);
}

static void a_fifo_does_not_hang_the_caller(void **state)
{
	struct fixture *f = *state;
	int fd;

	assert_int_equal(mkfifoat(f->root, "fifo", 0666), 0);
	assert_int_equal(sb_open_in_root(f->root, "fifo", O_WRONLY, 0), -ENXIO);
	fd = sb_open_in_root(f->root, "fifo", O_RDONLY, 0);
	assert_true(fd >= 0);
	close(fd);
}

static void directories_are_made_inside_even_through_links(void **state)
{
	struct fixture *f = *state;
	struct sb_err err = SB_ERR_INIT;
	struct stat st;
	int fd;

	assert_int_equal(symlinkat("/real", f->root, "alias"), 0);
	assert_int_equal(mkdirat(f->root, "real", 0755), 0);
	fd = sb_mkdir_in_root(f->root, "/alias/../alias/a//b", 0750, getuid(), getgid(), &err);
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(fstatat(f->root, "real/a/b", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0750);
	assert_int_equal(symlinkat("../..", f->root, "out"), 0);
	fd = sb_mkdir_in_root(f->root, "out/x", 0755, getuid(), getgid(), &err);
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(fstatat(f->root, "x", &st, 0), 0);
	assert_int_equal(faccessat(f->outside, "x", F_OK, 0), -1);
}

static void a_directory_is_not_made_through_a_file_or_a_dangling_link(void **state)
{
	struct fixture *f = *state;
	struct sb_err err = SB_ERR_INIT;

	assert_int_equal(sb_mkdir_in_root(f->root, "file/x", 0755, 0, 0, &err), -ENOTDIR);
	assert_int_equal(symlinkat("/nowhere", f->root, "dangling"), 0);
	assert_true(sb_mkdir_in_root(f->root, "dangling/x", 0755, 0, 0, &err) < 0);
	assert_int_equal(faccessat(f->root, "nowhere", F_OK, 0), -1);
}

static void the_parent_of_a_path_is_opened_inside_and_the_name_kept(void **state)
{
	struct fixture *f = *state;
	struct sb_err err = SB_ERR_INIT;
	char name[NAME_MAX + 1];
	int fd;

	assert_int_equal(symlinkat("..", f->root, "dotdot"), 0);
	fd = sb_open_parent_in_root(f->root, "/dotdot/secret", name, &err);
	assert_true(fd >= 0);
	assert_string_equal(name, "secret");
	assert_int_equal(faccessat(fd, "secret", F_OK, 0), -1);
	assert_int_equal(faccessat(fd, "file", F_OK, 0), 0);
	close(fd);
	assert_int_equal(sb_open_parent_in_root(f->root, "/", name, &err), -EINVAL);
	assert_int_equal(sb_open_parent_in_root(f->root, "a/..", name, &err), -EINVAL);
	assert_int_equal(sb_open_parent_in_root(f->root, "", name, &err), -EINVAL);
}

static void removing_a_tree_follows_no_link(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(mkdirat(f->root, "tree", 0755), 0);
	assert_int_equal(symlinkat("../..", f->root, "tree/out"), 0);
	assert_int_equal(symlinkat("..", f->root, "link"), 0);
	assert_int_equal(sb_remove_tree_at(f->root, "tree"), 0);
	assert_int_equal(sb_remove_tree_at(f->root, "link"), 0);
	assert_int_equal(sb_remove_tree_at(f->root, "never-was"), 0);
	assert_int_equal(faccessat(f->outside, "secret", F_OK, 0), 0);
	assert_int_equal(faccessat(f->root, "file", F_OK, 0), 0);
	assert_int_equal(faccessat(f->root, "tree", F_OK, AT_SYMLINK_NOFOLLOW), -1);
	assert_int_equal(faccessat(f->root, "link", F_OK, AT_SYMLINK_NOFOLLOW), -1);
}

/* A sandbox can nest directories without end: mkdir, chdir, again. */
static void a_tree_deeper_than_we_have_descriptors_is_removed(void **state)
{
	struct fixture *f = *state;
	int dir = dup(f->root);

	for (int i = 0; i < 5000; i++) {
		int next;

		assert_int_equal(mkdirat(dir, "d", 0755), 0);
		next = openat(dir, "d", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		assert_true(next >= 0);
		close(dir);
		dir = next;
	}
	unit_write(dir, "leaf", "x");
	close(dir);
	assert_int_equal(sb_remove_tree_at(f->root, "d"), 0);
	assert_int_equal(faccessat(f->root, "d", F_OK, 0), -1);
}

static void our_own_directories_are_made_with_their_parents(void **state)
{
	struct fixture *f = *state;
	struct sb_err err = SB_ERR_INIT;
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "%s/run/a/b", f->path);
	for (int i = 0; i < 2; i++) {
		fd = sb_ensure_dir_at(AT_FDCWD, path, 0700, &err);
		assert_true(fd >= 0);
		close(fd);
	}
	assert_int_equal(sb_ensure_dir_at(f->root, "file/x", 0700, &err), -ENOTDIR);
}

static void names_are_words_that_a_host_name_can_hold(void **state)
{
	char longest[65];

	(void)state;
	memset(longest, 'a', 64);
	longest[64] = '\0';
	assert_false(sb_name_is_valid(longest));
	longest[63] = '\0';
	assert_true(sb_name_is_valid(longest));
	assert_true(sb_name_is_valid("web-1.test_2"));
	assert_false(sb_name_is_valid(""));
	assert_false(sb_name_is_valid(".."));
	assert_false(sb_name_is_valid("-rf"));
	assert_false(sb_name_is_valid("a/b"));
	assert_false(sb_name_is_valid("a b"));
}

/* readdir(3) moves the position of the open file, which descriptors from dup(2) share. */
static void a_directory_can_be_listed_twice_by_one_descriptor(void **state)
{
	struct fixture *f = *state;

	for (int i = 0; i < 2; i++) {
		_cleanup_dir_ DIR *dir = sb_opendir_at(f->outside, ".");
		struct dirent *e;
		int n = 0;

		assert_non_null(dir);
		while ((e = readdir(dir)))
			n += e->d_name[0] != '.';
		assert_int_equal(n, 2); /* "root" and "secret" */
	}
	assert_null(sb_opendir_at(f->outside, "secret"));
	assert_int_equal(errno, ENOTDIR);
	assert_null(sb_opendir_at(-1, "."));
	assert_int_equal(errno, EBADF);
}

#define WITH_ROOT(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_ROOT(no_link_or_dotdot_leads_out),
		WITH_ROOT(no_link_or_dotdot_leads_out_without_privileges),
		WITH_ROOT(absolute_links_mean_the_root_itself),
		cmocka_unit_test(magic_links_are_refused),
		WITH_ROOT(a_fifo_does_not_hang_the_caller),
		WITH_ROOT(directories_are_made_inside_even_through_links),
		WITH_ROOT(a_directory_is_not_made_through_a_file_or_a_dangling_link),
		WITH_ROOT(the_parent_of_a_path_is_opened_inside_and_the_name_kept),
		WITH_ROOT(removing_a_tree_follows_no_link),
		WITH_ROOT(a_tree_deeper_than_we_have_descriptors_is_removed),
		WITH_ROOT(our_own_directories_are_made_with_their_parents),
		WITH_ROOT(a_directory_can_be_listed_twice_by_one_descriptor),
		cmocka_unit_test(names_are_words_that_a_host_name_can_hold),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
