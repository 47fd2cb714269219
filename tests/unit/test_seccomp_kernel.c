/* SPDX-License-Identifier: Apache-2.0 */
/* test_seccomp_kernel.c - the default filter installed: what the kernel makes of it */
#include "tests/unit/unit.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "runtime/base/err.h"
#include "runtime/base/sys.h"
#include "runtime/container/seccomp.h"

/* Run @body confined in a child; gives its wait status. */
static int confined(void (*body)(void))
{
	int wstatus;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		struct sb_err err = SB_ERR_INIT;

		if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || sb_seccomp_default_load(&err) < 0)
			_exit(100);
		body();
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &wstatus, 0), pid);
	return wstatus;
}

static void expect(bool ok, int code)
{
	if (!ok)
		_exit(code);
}

static void *nothing(void *arg)
{
	return arg;
}

static void work_as_usual(void)
{
	pthread_t thread;
	int wstatus, s;
	pid_t pid = fork();

	if (pid == 0)
		_exit(7);
	expect(waitpid(pid, &wstatus, 0) == pid && WEXITSTATUS(wstatus) == 7, 1);
	expect(pthread_create(&thread, NULL, nothing, NULL) == 0, 2); /* clone3, then clone */
	expect(pthread_join(thread, NULL) == 0, 3);
	s = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	expect(s >= 0, 4);
	s = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, 0);
	expect(s >= 0, 5);
	execl("/bin/true", "true", NULL);
	_exit(6);
}

static void try_what_is_forbidden(void)
{
	expect(socket(38 /* AF_ALG */, SOCK_SEQPACKET, 0) < 0 && errno == EAFNOSUPPORT, 1);
	expect(socket(40 /* AF_VSOCK */, SOCK_STREAM, 0) < 0 && errno == EAFNOSUPPORT, 2);
	expect(socket(AF_NETLINK, SOCK_RAW, 12) < 0 && errno == EAFNOSUPPORT, 3);
	expect(syscall(SYS_unshare, CLONE_NEWUSER) < 0 && errno == EPERM, 4);
	expect(syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0) < 0 && errno == EPERM, 5);
	expect(syscall(SYS_io_uring_setup, 1, NULL) < 0 && errno == ENOSYS, 6);
	expect(syscall(1000) < 0 && errno == ENOSYS, 7);
	expect(syscall(SYS_mount, "none", "/", "tmpfs", 0, NULL) < 0 && errno == EPERM, 8);
	expect(syscall(SYS_ioctl, 0, 0x100005412, "x") < 0 && errno == EPERM, 9);
	expect(syscall(-1) < 0 && errno == ENOSYS, 10);
}

static void the_kernel_takes_it_and_programs_work(void **state)
{
	(void)state;
	assert_int_equal(confined(work_as_usual), 0);
}

static void the_kernel_enforces_it(void **state)
{
	(void)state;
	assert_int_equal(confined(try_what_is_forbidden), 0);
}

#if defined(__x86_64__)
static void call_as_i386(void)
{
	long ret;

	__asm__ volatile("int $0x80" : "=a"(ret) : "a"(20L /* getpid there */) : "memory");
	(void)ret;
}

static void call_as_x32(void)
{
	(void)syscall(0x40000000 + SYS_getpid);
}

static void the_kernel_kills_other_abis(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		int wstatus = confined(i ? call_as_x32 : call_as_i386);

		/* SIGSEGV: a kernel without 32-bit emulation has no such interrupt at all. */
		assert_true(WIFSIGNALED(wstatus));
		assert_true(WTERMSIG(wstatus) == SIGSYS || (!i && WTERMSIG(wstatus) == SIGSEGV));
	}
}
#endif

static void without_no_new_privs_it_is_an_error(void **state)
{
	int wstatus;
	pid_t pid = fork();

	(void)state;
	if (pid == 0) {
		struct sb_err err = SB_ERR_INIT;

		if (geteuid() == 0 && setresuid(65534, 65534, 65534) < 0)
			_exit(1);
		_exit(sb_seccomp_default_load(&err) == -EACCES && err.msg[0] ? 0 : 2);
	}
	assert_int_equal(waitpid(pid, &wstatus, 0), pid);
	assert_int_equal(wstatus, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_kernel_takes_it_and_programs_work),
		cmocka_unit_test(the_kernel_enforces_it),
#if defined(__x86_64__)
		cmocka_unit_test(the_kernel_kills_other_abis),
#endif
		cmocka_unit_test(without_no_new_privs_it_is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
