/* SPDX-License-Identifier: Apache-2.0 */
/* test_caps.c - capability sets of a process before and after it starts a program */
#include "tests/unit/unit.h"

#include <stdbool.h>
#include <sys/capability.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "runtime/base/err.h"
#include "runtime/container/caps.h"

/* CHOWN DAC_OVERRIDE FOWNER FSETID KILL SETGID SETUID SETPCAP NET_BIND_SERVICE SYS_CHROOT SETFCAP
 */
#define ELEVEN 0x800405fbULL

struct sets {
	unsigned long long inheritable, permitted, effective, bounding, ambient;
};

static unsigned long long field(const char *status, const char *name)
{
	const char *p = strstr(status, name);

	assert_non_null(p);
	return strtoull(p + strlen(name), NULL, 16);
}

/* The capability sets that /proc/self/status shows; in a program of its own if @exec. */
static void print_status(bool exec)
{
	char buf[8192];
	ssize_t n;
	int fd;

	if (exec) {
		execl("/bin/cat", "cat", "/proc/self/status", NULL);
		_exit(3);
	}
	fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
	n = read(fd, buf, sizeof(buf));
	_exit(n > 0 && write(1, buf, (size_t)n) == n ? 0 : 4);
}

/* Bound and apply in a child of user @uid; it starts with inheritable and ambient CAP_CHOWN. */
static struct sets confined(uid_t uid, bool exec)
{
	char status[8192] = "";
	size_t len = 0;
	ssize_t n;
	int fds[2], wstatus;
	pid_t pid;

	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		struct sb_err err = SB_ERR_INIT;
		cap_t caps = cap_get_proc();
		cap_value_t chown_cap = CAP_CHOWN;

		if (cap_set_flag(caps, CAP_INHERITABLE, 1, &chown_cap, CAP_SET) < 0 ||
		    cap_set_proc(caps) < 0 || cap_set_ambient(CAP_CHOWN, CAP_SET) < 0)
			_exit(1);
		if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || sb_caps_bound(&err) < 0 ||
		    setresuid(uid, uid, uid) < 0 || sb_caps_apply(uid == 0, &err) < 0)
			_exit(2);
		dup2(fds[1], 1);
		print_status(exec);
	}
	close(fds[1]);
	while ((n = read(fds[0], status + len, sizeof(status) - 1 - len)) > 0)
		len += (size_t)n;
	close(fds[0]);
	assert_int_equal(waitpid(pid, &wstatus, 0), pid);
	assert_int_equal(wstatus, 0);
	return (struct sets){
		.inheritable = field(status, "CapInh:"),
		.permitted = field(status, "CapPrm:"),
		.effective = field(status, "CapEff:"),
		.bounding = field(status, "CapBnd:"),
		.ambient = field(status, "CapAmb:"),
	};
}

static void root_keeps_exactly_eleven(void **state)
{
	(void)state;
	for (int exec = 0; exec < 2; exec++) {
		struct sets s = confined(0, exec);

		assert_int_equal(s.permitted, ELEVEN);
		assert_int_equal(s.effective, ELEVEN);
	}
}

/* CVE-2018-10856 and others: T36. */
static void other_users_have_none(void **state)
{
	(void)state;
	for (int exec = 0; exec < 2; exec++) {
		struct sets s = confined(1000, exec);

		assert_int_equal(s.permitted, 0);
		assert_int_equal(s.effective, 0);
	}
}

static void nothing_more_can_be_gained(void **state)
{
	(void)state;
	assert_int_equal(confined(0, true).bounding, ELEVEN);
	assert_int_equal(confined(1000, true).bounding, ELEVEN);
}

/* CVE-2022-24769, CVE-2022-29162: T10. */
static void inheritable_and_ambient_are_empty(void **state)
{
	(void)state;
	for (int i = 0; i < 4; i++) {
		struct sets s = confined(i & 1 ? 1000 : 0, i & 2);

		assert_int_equal(s.inheritable, 0);
		assert_int_equal(s.ambient, 0);
	}
}

static void bounding_without_setpcap_is_an_error(void **state)
{
	int wstatus;
	pid_t pid = fork();

	(void)state;
	if (pid == 0) {
		struct sb_err err = SB_ERR_INIT;

		if (setresuid(1000, 1000, 1000) < 0)
			_exit(1);
		_exit(sb_caps_bound(&err) == -EPERM && strstr(err.msg, "bounding set") ? 0 : 2);
	}
	assert_int_equal(waitpid(pid, &wstatus, 0), pid);
	assert_int_equal(wstatus, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(root_keeps_exactly_eleven),
		cmocka_unit_test(other_users_have_none),
		cmocka_unit_test(nothing_more_can_be_gained),
		cmocka_unit_test(inheritable_and_ambient_are_empty),
		cmocka_unit_test(bounding_without_setpcap_is_an_error),
	};

	unit_need_root();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
