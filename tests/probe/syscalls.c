/* SPDX-License-Identifier: Apache-2.0 */
/*
 * syscalls.c - the probe's topic "seccomp": which risky system calls get through
 *
 * Each is made in a child of its own session. Where nothing else stands in the table all arguments
 * are -1: a bad descriptor, a bad pointer and a bad flag at once, so a call that gets through fails
 * with EBADF, EFAULT or EINVAL and changes nothing.
 */
#include "tests/probe/probe.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/personality.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define BAD                            \
	{                              \
		-1, -1, -1, -1, -1, -1 \
	}
#define CALL(name)                     \
	{                              \
#name, SYS_##name, BAD \
	}
#define WITH(text, name, ...)       \
	{                           \
		text, SYS_##name,   \
		{                   \
			__VA_ARGS__ \
		}                   \
	}

static const struct call {
	const char *name;
	long number;
	long args[6];
} calls[] = {
	CALL(acct),
	CALL(add_key),
	CALL(adjtimex),
	CALL(bpf),
	CALL(chroot),
	CALL(clock_adjtime),
	CALL(clock_settime),
	CALL(clone3),
	CALL(delete_module),
	CALL(fanotify_init),
	CALL(finit_module),
	CALL(fsconfig),
	CALL(fsmount),
	CALL(fsopen),
	CALL(fspick),
	CALL(init_module),
	CALL(io_uring_enter),
	CALL(io_uring_register),
	CALL(io_uring_setup),
	CALL(kcmp),
	CALL(kexec_file_load),
	CALL(kexec_load),
	CALL(keyctl),
	CALL(lookup_dcookie),
	CALL(mbind),
	CALL(memfd_secret),
	CALL(migrate_pages),
	CALL(mount),
	CALL(mount_setattr),
	CALL(move_mount),
	CALL(move_pages),
	CALL(name_to_handle_at),
	CALL(nfsservctl),
	CALL(open_by_handle_at),
	CALL(open_tree),
	CALL(perf_event_open),
	CALL(pidfd_getfd),
	CALL(pivot_root),
	CALL(process_madvise),
	CALL(process_vm_readv),
	CALL(process_vm_writev),
	CALL(ptrace),
	CALL(quotactl),
	CALL(quotactl_fd),
	CALL(reboot),
	CALL(request_key),
	CALL(sethostname),
	CALL(setdomainname),
	CALL(setns),
	CALL(settimeofday),
	CALL(swapoff),
	CALL(swapon),
	CALL(syslog),
	CALL(umount2),
	CALL(userfaultfd),
	CALL(vhangup),
	CALL(vmsplice),
#ifdef __x86_64__
	CALL(ioperm),
	CALL(iopl),
	CALL(modify_ldt),
	CALL(_sysctl),
	CALL(sysfs),
	CALL(uselib),
	CALL(ustat),
	WITH("x32 getpid", getpid | 0x40000000, 0),
#endif
	/* In a child of its own a new namespace or personality harms nobody. */
	WITH("unshare(CLONE_NEWUSER)", unshare, CLONE_NEWUSER),
	WITH("unshare(CLONE_NEWNS)", unshare, CLONE_NEWNS),
	WITH("unshare(CLONE_NEWNET)", unshare, CLONE_NEWNET),
	WITH("unshare(CLONE_NEWCGROUP)", unshare, CLONE_NEWCGROUP),
	WITH("clone(CLONE_NEWUSER)", clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0),
	WITH("personality(ADDR_NO_RANDOMIZE)", personality, ADDR_NO_RANDOMIZE),
	WITH("ioctl(TIOCSTI)", ioctl, -1, TIOCSTI, -1),
	WITH("ioctl(TIOCLINUX)", ioctl, -1, TIOCLINUX, -1),
	{ "unknown 1000", 1000, BAD },
	/* What every program needs: shows that "ok" can happen at all. */
	WITH("getpid", getpid, 0),
};

/* In the child: make the call and leave with its errno value, 0 for success. */
static void make_call(const struct call *c)
{
	pid_t self = getpid();
	long r;

	(void)setsid();
	(void)signal(SIGSYS, SIG_DFL);
	r = syscall(c->number, c->args[0], c->args[1], c->args[2], c->args[3], c->args[4],
		    c->args[5]);
	if (getpid() != self) /* clone() worked: this is its child */
		_exit(0);
	_exit(r < 0 ? errno : 0);
}

static void report(const char *name, int status)
{
	probe_open();
	probe_str("syscall", name);
	if (WIFSIGNALED(status)) {
		char text[32];

		snprintf(text, sizeof(text), "SIG%s", sigabbrev_np(WTERMSIG(status)));
		probe_str("result", text);
	} else {
		probe_errno("result", WEXITSTATUS(status));
	}
	probe_close();
}

#ifdef __x86_64__
/* The 32-bit system calls have numbers of their own; 20 is getpid there. */
static void make_compat_call(const struct call *c)
{
	long r = 20;

	(void)c;
	__asm__ volatile("int $0x80" : "+a"(r) : : "memory", "r8", "r9", "r10", "r11");
	_exit(r < 0 ? (int)-r : 0);
}
#endif

static void in_child(const struct call *c, const char *name, void (*make)(const struct call *))
{
	int status;
	pid_t pid;

	(void)fflush(stdout);
	pid = fork();
	if (pid == 0)
		make(c);
	if (pid > 0 && waitpid(pid, &status, 0) == pid)
		report(name, status);
}

void probe_seccomp(void)
{
	for (size_t i = 0; i < PROBE_COUNT(calls); i++)
		in_child(&calls[i], calls[i].name, make_call);
#ifdef __x86_64__
	in_child(NULL, "i386 getpid", make_compat_call);
#endif
}
