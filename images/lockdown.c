/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lockdown.c - Landlock and seccomp for the two processes that meet strangers' bytes
 *
 * Both are a second wall behind namespaces, ids and capabilities (confine.c), so a kernel that has
 * no Landlock is not refused. The unpacker's system calls are our own and few: an allow-list. The
 * fetcher's depend on libraries that the host's name service loads (nsswitch.conf(5)): a deny-list.
 */
#include "images/lockdown.h"

#include <errno.h>
#include <sched.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/landlock.h>
#include <seccomp.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/err.h"

/* Rights on files by Landlock's ABI (landlock(7)): 1 has bits 0 to 12, 2 adds REFER, 3 TRUNCATE. */
#define ACCESS_READ        (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
#define ACCESS_ABI_1       ((LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1)
#define ACCESS_REFER       (UINT64_C(1) << 13)
#define ACCESS_TRUNCATE    (UINT64_C(1) << 14)
#define LANDLOCK_ABI_LEAST 2 /* 1 has no rule that lets hard links cross directories */

static uint64_t rights_of(long abi)
{
	return ACCESS_ABI_1 | ACCESS_REFER | (abi >= 3 ? ACCESS_TRUNCATE : 0);
}

/**
 * sb_lockdown_files() - Put all files out of reach but some directories
 * @dirs:	what stays in reach
 * @n:		how many
 *
 * Open descriptors go on working. Needs no_new_privs or CAP_SYS_ADMIN. Without Landlock in the
 * kernel, or with its first version (Linux 5.13 to 5.18), nothing is done.
 *
 * Return: 0, or a negative errno value
 */
int sb_lockdown_files(const struct sb_lockdown_dir *dirs, size_t n, struct sb_err *err)
{
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
	struct landlock_ruleset_attr attr = { 0 };
	_cleanup_fd_ int ruleset = -1;

	if (abi < LANDLOCK_ABI_LEAST)
		return 0;
	attr.handled_access_fs = rights_of(abi);
	ruleset = (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof(attr), 0);
	if (ruleset < 0)
		return sb_err_set(err, errno, "make a Landlock ruleset");
	for (size_t i = 0; i < n; i++) {
		struct landlock_path_beneath_attr rule = {
			.allowed_access = dirs[i].writable ? rights_of(abi) : ACCESS_READ,
			.parent_fd = dirs[i].fd,
		};

		if (dirs[i].fd >= 0 && syscall(SYS_landlock_add_rule, ruleset,
					       LANDLOCK_RULE_PATH_BENEATH, &rule, 0) < 0)
			return sb_err_set(err, errno, "add a Landlock rule");
	}
	if (syscall(SYS_landlock_restrict_self, ruleset, 0) < 0)
		return sb_err_set(err, errno, "enter Landlock");
	return 0;
}

/* What unpacking calls, by way of glibc, OpenSSL, libisal and libzstd. */
static const int unpacker_calls[] = {
	/* bytes */
	SCMP_SYS(read), SCMP_SYS(pread64), SCMP_SYS(write), SCMP_SYS(pwrite64), SCMP_SYS(lseek),
	SCMP_SYS(ftruncate), SCMP_SYS(fallocate), SCMP_SYS(sync_file_range), SCMP_SYS(close),
	SCMP_SYS(memfd_create),
	/* files of any kind, in directories that are open */
	SCMP_SYS(openat), SCMP_SYS(openat2), SCMP_SYS(mkdirat), SCMP_SYS(mknodat),
	SCMP_SYS(symlinkat), SCMP_SYS(linkat), SCMP_SYS(unlinkat), SCMP_SYS(renameat),
	SCMP_SYS(renameat2), SCMP_SYS(readlinkat), SCMP_SYS(getdents64), SCMP_SYS(faccessat),
	SCMP_SYS(faccessat2), SCMP_SYS(fstat), SCMP_SYS(newfstatat), SCMP_SYS(statx),
	/* their metadata */
	SCMP_SYS(fchown), SCMP_SYS(fchownat), SCMP_SYS(fchmod), SCMP_SYS(fchmodat),
	SCMP_SYS(utimensat), SCMP_SYS(fsetxattr), SCMP_SYS(fgetxattr),
	/* the parent */
	SCMP_SYS(sendmsg), SCMP_SYS(recvmsg), SCMP_SYS(fcntl),
	/* memory and threads */
	SCMP_SYS(mmap), SCMP_SYS(munmap), SCMP_SYS(mprotect), SCMP_SYS(mremap), SCMP_SYS(madvise),
	SCMP_SYS(brk), SCMP_SYS(futex), SCMP_SYS(set_robust_list), SCMP_SYS(rseq),
	SCMP_SYS(sched_getaffinity), SCMP_SYS(sched_yield), SCMP_SYS(sysinfo),
	SCMP_SYS(rt_sigprocmask), SCMP_SYS(rt_sigaction), SCMP_SYS(rt_sigreturn),
	SCMP_SYS(restart_syscall), SCMP_SYS(exit), SCMP_SYS(exit_group), SCMP_SYS(tgkill),
	/* facts */
	SCMP_SYS(getpid), SCMP_SYS(gettid), SCMP_SYS(geteuid), SCMP_SYS(getegid), SCMP_SYS(uname),
	SCMP_SYS(clock_gettime), SCMP_SYS(getrandom)
};

/* What would lead from a captured fetcher to somewhere else. */
static const int fetcher_forbidden[] = { SCMP_SYS(execve),
					 SCMP_SYS(execveat),
					 SCMP_SYS(ptrace),
					 SCMP_SYS(process_vm_readv),
					 SCMP_SYS(process_vm_writev),
					 SCMP_SYS(pidfd_getfd),
					 SCMP_SYS(kcmp),
					 SCMP_SYS(unshare),
					 SCMP_SYS(setns),
					 SCMP_SYS(mount),
					 SCMP_SYS(umount2),
					 SCMP_SYS(pivot_root),
					 SCMP_SYS(chroot),
					 SCMP_SYS(fsopen),
					 SCMP_SYS(fsconfig),
					 SCMP_SYS(fsmount),
					 SCMP_SYS(fspick),
					 SCMP_SYS(move_mount),
					 SCMP_SYS(open_tree),
					 SCMP_SYS(mount_setattr),
					 SCMP_SYS(open_by_handle_at),
					 SCMP_SYS(bpf),
					 SCMP_SYS(perf_event_open),
					 SCMP_SYS(userfaultfd),
					 SCMP_SYS(io_uring_setup),
					 SCMP_SYS(keyctl),
					 SCMP_SYS(add_key),
					 SCMP_SYS(request_key),
					 SCMP_SYS(init_module),
					 SCMP_SYS(finit_module),
					 SCMP_SYS(delete_module),
					 SCMP_SYS(kexec_load),
					 SCMP_SYS(kexec_file_load),
					 SCMP_SYS(personality) };

/*
 * Threads, but no processes: these would not die with our parent, and in a new user namespace they
 * would have all capabilities. What clone3(2) is to make is in memory, where a filter cannot look;
 * glibc goes on with clone(2) if there is none.
 */
static int limit_clone(scmp_filter_ctx ctx, bool is_list_of_allowed)
{
	int r = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);

	if (r < 0)
		return r;
	if (is_list_of_allowed)
		return seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1,
					SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD));
	return seccomp_rule_add(ctx, SCMP_ACT_KILL_PROCESS, SCMP_SYS(clone), 1,
				SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, 0));
}

/**
 * sb_lockdown_calls() - Give up all system calls that a role has no use for
 * @role:	what the process does
 *
 * A call that is not allowed ends the process (SIGSYS), and so does one of another ABI. Builds with
 * AddressSanitizer leave the unpacker unfiltered: its runtime calls what ours never would. Needs
 * no_new_privs.
 *
 * Return: 0, or a negative errno value
 */
int sb_lockdown_calls(enum sb_lockdown_role role, struct sb_err *err)
{
	bool is_list_of_allowed = role == SB_LOCKDOWN_UNPACKER;
	const int *calls = is_list_of_allowed ? unpacker_calls : fetcher_forbidden;
	size_t n = is_list_of_allowed ? SB_ARRAY_SIZE(unpacker_calls)
				      : SB_ARRAY_SIZE(fetcher_forbidden);
	scmp_filter_ctx ctx;
	int r = 0;

#ifdef __SANITIZE_ADDRESS__
	if (is_list_of_allowed)
		return 0;
#endif
	ctx = seccomp_init(is_list_of_allowed ? SCMP_ACT_KILL_PROCESS : SCMP_ACT_ALLOW);
	if (!ctx)
		return sb_err_set(err, ENOMEM, "make a system call filter");
	(void)seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
	for (size_t i = 0; r == 0 && i < n; i++)
		r = seccomp_rule_add(ctx,
				     is_list_of_allowed ? SCMP_ACT_ALLOW : SCMP_ACT_KILL_PROCESS,
				     calls[i], 0);
	if (r == 0)
		r = limit_clone(ctx, is_list_of_allowed);
	if (r == 0)
		r = seccomp_load(ctx);
	seccomp_release(ctx);
	return r < 0 ? sb_err_set(err, -r, "load the system call filter") : 0;
}
