/* SPDX-License-Identifier: Apache-2.0 */
/* test_image_confine.c - what the processes that meet strangers can still reach, and what not */
#include "images/confine.h"

#include "tests/unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <sys/xattr.h>

#include "images/worker.h"
#include "runtime/base/err.h"

#define CHECK(what)                                \
	do {                                       \
		if (!(what))                       \
			_exit(__LINE__ % 200 + 1); \
	} while (0)

/* A store with a stage, a layer and a secret beside them. */
struct fixture {
	char path[32];
	int top;
	int stage;
	int layers;
};

static int open_new(int dirfd, const char *name)
{
	int fd;

	assert_int_equal(mkdirat(dirfd, name, 0700), 0);
	fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(fd >= 0);
	return fd;
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	f->top = unit_tmpdir(f->path);
	f->stage = open_new(f->top, "stage");
	f->layers = open_new(f->top, "layers");
	unit_write(f->layers, "record", "1");
	unit_write(f->top, "secret", "s");
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	close(f->stage);
	close(f->layers);
	close(f->top);
	assert_int_equal(sb_remove_tree_at(AT_FDCWD, f->path), 0);
	free(f);
	return 0;
}

/* Run @fn in a child. Return: its exit code, or minus the signal that killed it. */
static int in_child(struct fixture *f, void (*fn)(struct fixture *f))
{
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (pid == 0) {
		fn(f);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

static void enter_unpacker(struct fixture *f)
{
	struct sb_confined dirs = { .stage_fd = f->stage, .layers_fd = f->layers, .source_fd = -1 };
	struct sb_err err = SB_ERR_INIT;

	CHECK(sb_confine_unpacker(&dirs, &err) == 0);
	f->stage = dirs.stage_fd;
	f->layers = dirs.layers_fd;
}

static void reach_of_the_unpacker(struct fixture *f)
{
	int fd;

	enter_unpacker(f);
	/* Its stage, whole. */
	fd = openat(f->stage, "file", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	CHECK(fd >= 0 && write(fd, "x", 1) == 1 && ftruncate(fd, 0) == 0);
	CHECK(mkdirat(f->stage, "d", 0700) == 0);
	CHECK(linkat(f->stage, "file", f->stage, "d/link", 0) == 0);
	CHECK(mknodat(f->stage, "null", S_IFCHR | 0600, 0x103) == 0);
	CHECK(fchown(fd, 1, 2) == 0 && fchmod(fd, 04755) == 0);
	/* Layers to look at only. */
	CHECK(faccessat(f->layers, "record", F_OK, 0) == 0);
	CHECK(openat(f->layers, "record", O_RDONLY | O_CLOEXEC) >= 0);
	CHECK(openat(f->layers, "record", O_RDWR | O_CLOEXEC) < 0);
	CHECK(openat(f->layers, "new", O_RDWR | O_CREAT | O_CLOEXEC, 0600) < 0);
	CHECK(unlinkat(f->layers, "record", 0) < 0);
	/* Nothing else: not the host, not the store, not by "..", not by an open directory. */
	CHECK(open("/etc/passwd", O_RDONLY | O_CLOEXEC) < 0);
	CHECK(open("/file", O_RDONLY | O_CLOEXEC) >= 0);
	CHECK(openat(f->stage, "../secret", O_RDONLY | O_CLOEXEC) < 0);
	CHECK(openat(f->layers, "../secret", O_RDONLY | O_CLOEXEC) < 0);
	CHECK(openat(f->top, "secret", O_RDONLY | O_CLOEXEC) < 0);
	/* A device it has made cannot be opened. */
	CHECK(openat(f->stage, "null", O_RDWR | O_CLOEXEC) < 0);
}

static void the_unpacker_reaches_its_stage_and_nothing_else(void **state)
{
	assert_int_equal(in_child(*state, reach_of_the_unpacker), 0);
}

static void make_socket(struct fixture *f)
{
	enter_unpacker(f);
	(void)socket(AF_INET6, SOCK_STREAM, 0);
}

static void execute(struct fixture *f)
{
	char *const none[] = { NULL };

	enter_unpacker(f);
	(void)execve("/file", none, none);
}

static void make_attribute(struct fixture *f)
{
	enter_unpacker(f);
	CHECK(fsetxattr(f->stage, "trusted.overlay.opaque", "y", 1, 0) < 0 && errno == EPERM);
}

#ifdef __SANITIZE_ADDRESS__
#define KILLED(what) (what) /* there is no filter: see sb_lockdown_calls() */
#else
#define KILLED(what) assert_int_equal(what, -SIGSYS)
#endif

static void the_unpacker_has_no_network_no_programs_and_no_power(void **state)
{
	KILLED(in_child(*state, make_socket));
	KILLED(in_child(*state, execute));
	assert_int_equal(in_child(*state, make_attribute), 0);
}

static void enter_fetcher(void)
{
	struct sb_err err = SB_ERR_INIT;

	CHECK(sb_confine_fetcher(&err) == 0);
}

static void reach_of_the_fetcher(struct fixture *f)
{
	int kept = openat(f->stage, "partial", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	uid_t r, e, s;

	enter_fetcher();
	CHECK(getresuid(&r, &e, &s) == 0 && r == e && e == s && r == 65534);
	CHECK(setuid(0) < 0 && getgroups(0, NULL) == 0);
	CHECK(prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 0);
	/* The network, and what names take. */
	CHECK(socket(AF_INET6, SOCK_STREAM, 0) >= 0);
	CHECK(open("/etc/hosts", O_RDONLY | O_CLOEXEC) >= 0);
	/* What it was given, and no other file of anybody. */
	CHECK(write(kept, "x", 1) == 1);
	CHECK(openat(f->stage, "partial", O_RDONLY | O_CLOEXEC) < 0);
	CHECK(open("/etc/shadow", O_RDONLY | O_CLOEXEC) < 0);
	CHECK(open("/tmp/sbrun-fetcher-was-here", O_WRONLY | O_CREAT | O_CLOEXEC, 0600) < 0);
	CHECK(open("/proc/self/status", O_RDONLY | O_CLOEXEC) < 0 ||
	      syscall(SYS_landlock_create_ruleset, NULL, 0, 1) < 2);
}

static void the_fetcher_has_the_network_and_nothing_else(void **state)
{
	assert_int_equal(in_child(*state, reach_of_the_fetcher), 0);
}

static void fork_as_fetcher(struct fixture *f)
{
	(void)f;
	enter_fetcher();
	(void)fork();
}

static void enter_namespace_as_fetcher(struct fixture *f)
{
	(void)f;
	enter_fetcher();
	(void)syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, NULL, NULL, NULL, NULL);
}

static void fork_as_unpacker(struct fixture *f)
{
	enter_unpacker(f);
	(void)fork();
}

static void *set_flag(void *arg)
{
	*(int *)arg = 1;
	return NULL;
}

static void start_thread(struct fixture *f)
{
	pthread_t thread;
	int flag = 0;

	(void)f;
	CHECK(pthread_create(&thread, NULL, set_flag, &flag) == 0);
	CHECK(pthread_join(thread, NULL) == 0 && flag == 1);
}

static void thread_of_fetcher(struct fixture *f)
{
	enter_fetcher();
	start_thread(f);
}

static void thread_of_unpacker(struct fixture *f)
{
	enter_unpacker(f);
	start_thread(f);
}

static void both_make_threads_but_no_processes(void **state)
{
	assert_int_equal(in_child(*state, thread_of_fetcher), 0);
	assert_int_equal(in_child(*state, thread_of_unpacker), 0);
	assert_int_equal(in_child(*state, fork_as_fetcher), -SIGSYS);
	assert_int_equal(in_child(*state, enter_namespace_as_fetcher), -SIGSYS);
	KILLED(in_child(*state, fork_as_unpacker));
}

static void execute_as_fetcher(struct fixture *f)
{
	char *const none[] = { NULL };

	(void)f;
	enter_fetcher();
	(void)execve("/bin/true", none, none);
}

static void the_fetcher_starts_no_program(void **state)
{
	assert_int_equal(in_child(*state, execute_as_fetcher), -SIGSYS);
}

static int count_descriptors(int sock, void *arg)
{
	const int *kept = arg;

	CHECK(fcntl(sock, F_GETFD) >= 0 && fcntl(*kept, F_GETFD) >= 0);
	for (int fd = STDERR_FILENO + 1; fd < 1000; fd++)
		CHECK(fd == sock || fd == *kept || fcntl(fd, F_GETFD) < 0);
	return 7;
}

static void a_worker_has_only_the_descriptors_it_uses(void **state)
{
	struct fixture *f = *state;
	const int keep[] = { -1, f->layers, f->layers };
	const struct sb_worker_job job = { .name = "worker",
					   .run = count_descriptors,
					   .arg = &f->layers,
					   .keep = keep,
					   .n_keep = 3 };
	struct sb_worker w = SB_WORKER_INIT;
	struct sb_err err = SB_ERR_INIT;

	assert_int_equal(sb_worker_start(&job, &w, &err), 0);
	assert_int_equal(sb_worker_end(&w, "worker", &err), 7);
	assert_int_equal(w.pid, -1);
	assert_int_equal(sb_worker_end(&w, "worker", &err), 0);
}

int main(void)
{
#define CONFINE_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		CONFINE_TEST(the_unpacker_reaches_its_stage_and_nothing_else),
		CONFINE_TEST(the_unpacker_has_no_network_no_programs_and_no_power),
		CONFINE_TEST(the_fetcher_has_the_network_and_nothing_else),
		CONFINE_TEST(the_fetcher_starts_no_program),
		CONFINE_TEST(both_make_threads_but_no_processes),
		CONFINE_TEST(a_worker_has_only_the_descriptors_it_uses),
	};

	unit_need_root();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
