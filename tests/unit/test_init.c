/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_init.c - sbrun-init as process 1 of a pid namespace of its own
 *
 * SB_INIT_PATH is the program. The test is the supervisor outside: it starts process 1, and sends
 * its own children into the namespace with setns(2), as the monitor does.
 */
#include "tests/unit/unit.h"

#include <dirent.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/fd.h"
#include "runtime/base/sys.h"

#define PATIENCE_MS 5000

/* Process 1: @pid as we see it, and a handle of it. */
struct ns {
	pid_t pid;
	int pidfd;
};

static int start(void **state)
{
	struct ns *ns = calloc(1, sizeof(*ns));

	assert_int_equal(unshare(CLONE_NEWPID), 0); /* for the children only */
	ns->pid = fork();
	if (ns->pid == 0) {
		execl(SB_INIT_PATH, "init", NULL);
		_exit(127);
	}
	assert_true(ns->pid > 0);
	ns->pidfd = (int)syscall(SYS_pidfd_open, ns->pid, 0);
	assert_true(ns->pidfd >= 0);
	assert_int_equal(setns(ns->pidfd, CLONE_NEWPID), 0);
	*state = ns;
	return 0;
}

static int stop(void **state)
{
	struct ns *ns = *state;
	_cleanup_fd_ int own = open("/proc/self/ns/pid", O_RDONLY | O_CLOEXEC);

	assert_int_equal(kill(ns->pid, SIGKILL), 0);
	assert_int_equal(waitpid(ns->pid, NULL, 0), ns->pid);
	assert_int_equal(setns(own, CLONE_NEWPID), 0);
	close(ns->pidfd);
	free(ns);
	return 0;
}

static void nap(void)
{
	(void)poll(NULL, 0, 2);
}

/* A field of /proc/<pid>/status, as text without blanks before it. */
static bool status_is(pid_t pid, const char *key, const char *want)
{
	char path[64], buf[4096];
	const char *p;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	if (sb_read_small_at(AT_FDCWD, path, buf, sizeof(buf)) < 0)
		return false;
	p = strstr(buf, key);
	if (!p)
		return false;
	p += strlen(key);
	p += strspn(p, ": \t");
	return !strncmp(p, want, strlen(want));
}

/* How many children process @parent has, zombies included. */
static int children(pid_t parent)
{
	_cleanup_dir_ DIR *proc = opendir("/proc");
	struct dirent *e;
	char want[16];
	int n = 0;

	snprintf(want, sizeof(want), "%d\n", (int)parent);
	while ((e = readdir(proc)))
		n += status_is((pid_t)strtol(e->d_name, NULL, 10), "PPid", want);
	return n;
}

static bool wait_for_children(pid_t parent, int want)
{
	for (int i = 0; i < PATIENCE_MS / 2 && children(parent) != want; i++)
		nap();
	return children(parent) == want;
}

/* Wait until process 1 runs its loop: it is called so only after it has blocked its signals. */
static void wait_until_ready(const struct ns *ns)
{
	for (int i = 0; i < PATIENCE_MS / 2 && !status_is(ns->pid, "Name", "sbrun-init"); i++)
		nap();
	assert_true(status_is(ns->pid, "Name", "sbrun-init"));
}

/*
 * Leave @n processes behind in the namespace whose parent has ended. Each writes a byte to @report
 * when it is there, then waits for a signal if @stay, and ends. SIGQUIT shall not leave a core
 * file.
 */
static void make_orphans(int n, bool stay, int report)
{
	pid_t parent = fork();

	assert_true(parent >= 0);
	if (parent == 0) {
		for (int i = 0; i < n; i++) {
			if (fork() != 0)
				continue;
			(void)prctl(PR_SET_DUMPABLE, 0);
			(void)!write(report, "x", 1);
			if (stay)
				(void)pause();
			_exit(0);
		}
		_exit(0);
	}
	assert_int_equal(waitpid(parent, NULL, 0), parent);
}

static void orphans_are_reaped(void **state)
{
	struct ns *ns = *state;
	int fds[2];
	char buf[200];
	size_t got = 0;

	wait_until_ready(ns);
	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	for (int i = 0; i < 4; i++)
		make_orphans(50, false, fds[1]);
	while (got < sizeof(buf)) {
		ssize_t r = read(fds[0], buf, sizeof(buf) - got);

		assert_true(r > 0);
		got += (size_t)r;
	}
	assert_true(wait_for_children(ns->pid, 0));
	close(fds[0]);
	close(fds[1]);
}

/* Those that ended while process 1 was not up yet. */
static void early_orphans_are_reaped(void **state)
{
	struct ns *ns = *state;
	int fds[2];

	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	make_orphans(20, false, fds[1]);
	assert_true(wait_for_children(ns->pid, 0));
	close(fds[0]);
	close(fds[1]);
}

/* @sig, sent to process 1, ends @n processes of the namespace and leaves process 1 alone. */
static void check_forwarding(const struct ns *ns, int sig)
{
	struct pollfd end = { .events = 0 };
	int fds[2];

	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	make_orphans(3, true, fds[1]);
	close(fds[1]);
	for (int i = 0; i < 3; i++)
		assert_int_equal(read(fds[0], &(char){ 0 }, 1), 1);
	assert_true(wait_for_children(ns->pid, 3));
	assert_int_equal(sb_pidfd_send_signal(ns->pidfd, sig), 0);
	end.fd = fds[0];
	assert_int_equal(poll(&end, 1, PATIENCE_MS), 1); /* hang-up: all three are gone */
	assert_true(wait_for_children(ns->pid, 0));
	assert_int_equal(waitpid(ns->pid, NULL, WNOHANG), 0);
	close(fds[0]);
}

static void signals_reach_everybody(void **state)
{
	static const int signals[] = { SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2 };
	struct ns *ns = *state;

	wait_until_ready(ns);
	for (size_t i = 0; i < SB_ARRAY_SIZE(signals); i++)
		check_forwarding(ns, signals[i]);
}

static void it_never_ends_on_its_own(void **state)
{
	struct ns *ns = *state;

	wait_until_ready(ns);
	for (int sig = 1; sig <= SIGRTMAX; sig++)
		if (sig != SIGKILL && sig != SIGSTOP && sig != SIGTSTP && sig != SIGCONT)
			(void)sb_pidfd_send_signal(ns->pidfd, sig);
	(void)poll(NULL, 0, 50);
	assert_int_equal(waitpid(ns->pid, NULL, WNOHANG), 0);
	assert_true(status_is(ns->pid, "State", "S"));
}

static void it_takes_next_to_no_memory(void **state)
{
	struct ns *ns = *state;
	char path[64], buf[4096];
	const char *rss;
	long kb;

	wait_until_ready(ns);
	snprintf(path, sizeof(path), "/proc/%d/status", (int)ns->pid);
	assert_true(sb_read_small_at(AT_FDCWD, path, buf, sizeof(buf)) > 0);
	rss = strstr(buf, "VmRSS:");
	assert_non_null(rss);
	kb = strtol(rss + strlen("VmRSS:"), NULL, 10);
	printf("             resident: %ld kB\n", kb);
	assert_true(kb > 0 && kb <= 64);
}

/* It would pass on signals to every process of the host. */
static void outside_a_pid_namespace_it_refuses_to_run(void **state)
{
	pid_t pid = fork(), ended = 0;
	int wstatus = -1;

	(void)state;
	if (pid == 0) {
		execl(SB_INIT_PATH, "init", NULL);
		_exit(127);
	}
	for (int i = 0; i < PATIENCE_MS / 2 && !ended; i++) {
		nap();
		ended = waitpid(pid, &wstatus, WNOHANG);
	}
	if (!ended) {
		(void)kill(pid, SIGKILL);
		(void)waitpid(pid, NULL, 0);
	}
	assert_int_equal(ended, pid);
	assert_true(WIFEXITED(wstatus) && WEXITSTATUS(wstatus) == 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(orphans_are_reaped, start, stop),
		cmocka_unit_test_setup_teardown(early_orphans_are_reaped, start, stop),
		cmocka_unit_test_setup_teardown(signals_reach_everybody, start, stop),
		cmocka_unit_test_setup_teardown(it_never_ends_on_its_own, start, stop),
		cmocka_unit_test_setup_teardown(it_takes_next_to_no_memory, start, stop),
		cmocka_unit_test(outside_a_pid_namespace_it_refuses_to_run),
	};

	unit_need_root();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
