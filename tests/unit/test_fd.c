/* SPDX-License-Identifier: Apache-2.0 */
/* test_fd.c - whole files, atomic replacement, descriptors over sockets */
#include "runtime/base/fd.h"

#include "tests/unit/unit.h"

#include <dirent.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "runtime/base/err.h"

static int count_entries(const char *path)
{
	DIR *dir = opendir(path);
	int n = -2; /* . and .. */

	assert_non_null(dir);
	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}

static void a_file_is_read_whole_with_a_nul_behind(void **state)
{
	struct unit_dir *f = *state;
	struct sb_err err = SB_ERR_INIT;
	char *text = NULL;
	size_t len;

	unit_write(f->dir, "f", "hello");
	assert_int_equal(sb_read_at(f->dir, "f", 5, &text, &len, &err), 0);
	assert_int_equal(len, 5);
	assert_string_equal(text, "hello");
	free(text);
	assert_int_equal(sb_read_at(f->dir, "f", 4, &text, &len, &err), -EFBIG);
}

static void files_of_proc_without_a_size_are_read_whole(void **state)
{
	struct sb_err err = SB_ERR_INIT;
	char *text = NULL;
	size_t len;

	(void)state;
	assert_int_equal(sb_read_at(AT_FDCWD, "/proc/self/status", 1 << 20, &text, &len, &err), 0);
	assert_true(len > 100);
	free(text);
}

static void links_directories_and_fifos_are_refused_without_blocking(void **state)
{
	struct unit_dir *f = *state;
	struct sb_err err = SB_ERR_INIT;
	char *text = NULL;

	assert_int_equal(symlinkat("/etc/passwd", f->dir, "link"), 0);
	assert_int_equal(mkfifoat(f->dir, "fifo", 0600), 0);
	assert_int_equal(sb_read_at(f->dir, "link", 1 << 20, &text, NULL, &err), -ELOOP);
	assert_int_equal(sb_read_at(f->dir, "fifo", 1 << 20, &text, NULL, &err), -EINVAL);
	assert_int_equal(sb_read_at(f->dir, ".", 1 << 20, &text, NULL, &err), -EINVAL);
}

static void replace_makes_and_replaces_with_the_mode_asked_for(void **state)
{
	struct unit_dir *f = *state;
	struct sb_err err = SB_ERR_INIT;
	struct stat st;
	char buf[16];

	assert_int_equal(sb_replace_at(f->dir, "s", 0600, "one", 3, &err), 0);
	assert_int_equal(sb_replace_at(f->dir, "s", 0600, "two\n\n", 5, &err), 0);
	assert_int_equal(sb_read_small_at(f->dir, "s", buf, sizeof(buf)), 3);
	assert_string_equal(buf, "two");
	assert_int_equal(fstatat(f->dir, "s", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(count_entries(f->path), 1);
}

static void a_failed_replace_keeps_the_target_and_leaves_nothing(void **state)
{
	struct unit_dir *f = *state;
	struct sb_err err = SB_ERR_INIT;

	assert_int_equal(mkdirat(f->dir, "d", 0700), 0);
	assert_int_equal(sb_replace_at(f->dir, "d", 0600, "x", 1, &err), -EISDIR);
	assert_int_equal(count_entries(f->path), 1);
}

static void readers_never_see_a_part_of_a_replaced_file(void **state)
{
	struct unit_dir *f = *state;
	struct sb_err err = SB_ERR_INIT;
	static char block[1 << 16];
	int status;
	pid_t pid;

	memset(block, 'a', sizeof(block));
	assert_int_equal(sb_replace_at(f->dir, "s", 0600, block, sizeof(block), &err), 0);
	pid = fork();
	if (pid == 0) {
		for (int i = 0; i < 300; i++) {
			memset(block, 'a' + i % 26, sizeof(block));
			if (sb_replace_at(f->dir, "s", 0600, block, sizeof(block), &err) < 0)
				_exit(1);
		}
		_exit(0);
	}
	while (waitpid(pid, &status, WNOHANG) == 0) {
		char *text = NULL;
		size_t len;

		assert_int_equal(sb_read_at(f->dir, "s", sizeof(block), &text, &len, &err), 0);
		assert_int_equal(len, sizeof(block));
		assert_int_equal(text[0], text[len - 1]);
		free(text);
	}
	assert_int_equal(status, 0);
}

static void a_control_file_that_is_missing_is_not_created(void **state)
{
	struct unit_dir *f = *state;
	struct sb_err err = SB_ERR_INIT;

	assert_int_equal(sb_put_at(f->dir, "none", "1", &err), -ENOENT);
	assert_int_equal(count_entries(f->path), 0);
}

static void descriptors_travel_with_their_packet_and_close_on_exec(void **state)
{
	int pair[2], pipefd[2], got[SB_FDS_MAX];
	char buf[8];
	size_t n;

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
	assert_int_equal(pipe(pipefd), 0);
	assert_int_equal(sb_send_fds(pair[0], "hi", 2, pipefd, 2), 0);
	assert_int_equal(sb_recv_fds(pair[1], buf, sizeof(buf), got, &n), 2);
	assert_int_equal(n, 2);
	assert_memory_equal(buf, "hi", 2);
	assert_true(fcntl(got[0], F_GETFD) & FD_CLOEXEC);
	assert_int_equal(write(got[1], "x", 1), 1);
	assert_int_equal(read(pipefd[0], buf, 1), 1);
	for (int i = 0; i < 2; i++) {
		close(got[i]);
		close(pipefd[i]);
	}
	close(pair[0]);
	assert_int_equal(sb_recv_fds(pair[1], buf, sizeof(buf), got, &n), 0); /* end */
	assert_int_equal(sb_send_fds(pair[1], "x", 1, NULL, 0), -EPIPE);
	close(pair[1]);
}

static void a_packet_that_does_not_fit_is_refused_and_its_descriptors_closed(void **state)
{
	int pair[2], got[SB_FDS_MAX], before, after;
	char small[4];
	size_t n;

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
	before = count_entries("/proc/self/fd");
	assert_int_equal(sb_send_fds(pair[0], "too long", 8, (int[]){ 0, 1 }, 2), 0);
	assert_int_equal(sb_recv_fds(pair[1], small, sizeof(small), got, &n), -EMSGSIZE);
	after = count_entries("/proc/self/fd");
	assert_int_equal(before, after);
	assert_int_equal(sb_send_fds(pair[0], "x", 1, got, SB_FDS_MAX + 1), -EINVAL);
	close(pair[0]);
	close(pair[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		UNIT_IN_DIR(a_file_is_read_whole_with_a_nul_behind),
		cmocka_unit_test(files_of_proc_without_a_size_are_read_whole),
		UNIT_IN_DIR(links_directories_and_fifos_are_refused_without_blocking),
		UNIT_IN_DIR(replace_makes_and_replaces_with_the_mode_asked_for),
		UNIT_IN_DIR(a_failed_replace_keeps_the_target_and_leaves_nothing),
		UNIT_IN_DIR(readers_never_see_a_part_of_a_replaced_file),
		UNIT_IN_DIR(a_control_file_that_is_missing_is_not_created),
		cmocka_unit_test(descriptors_travel_with_their_packet_and_close_on_exec),
		cmocka_unit_test(a_packet_that_does_not_fit_is_refused_and_its_descriptors_closed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
