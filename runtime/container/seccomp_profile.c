/* SPDX-License-Identifier: Apache-2.0 */
/*
 * seccomp_profile.c - the default system call profile, as data
 *
 * The allow-list starts from the names that Docker (moby/profiles, June 2026) and podman
 * (container-libs, May 2026) allow without a capability, and leaves out what sandboxes do not need
 * and kernels keep being broken through. Every call up to SB_SECCOMP_NR_MAX must appear here: the
 * generator refuses to build otherwise, so that leaving one out is a decision, not an accident.
 *
 * Numbers of sockets, ioctls and clone flags are those of the build machine; they are the same for
 * x86_64 and aarch64.
 */
#include "runtime/container/seccomp_profile.h"

#include <errno.h>
#include <string.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <linux/audit.h>
#include <linux/netlink.h>
#include <linux/sched.h>
#include <linux/seccomp.h>

#include <seccomp.h>

#include "runtime/base/cleanup.h"

const struct sb_seccomp_group sb_seccomp_groups[] = {
	/* Files and directories by path and by descriptor. */
	{ SB_RULE_ALLOW,
	  "access chdir chmod chown chroot close close_range copy_file_range creat dup "
	  "dup2 dup3 faccessat faccessat2 fadvise64 fallocate fchdir fchmod fchmodat "
	  "fchmodat2 fchown fchownat fcntl fdatasync fgetxattr flistxattr flock "
	  "fremovexattr fsetxattr fstat fstatfs fsync ftruncate futimesat getcwd "
	  "getdents getdents64 getxattr inotify_add_watch inotify_init inotify_init1 "
	  "inotify_rm_watch lchown lgetxattr link linkat listxattr llistxattr "
	  "lremovexattr lseek lsetxattr lstat mkdir mkdirat mknod mknodat "
	  "name_to_handle_at newfstatat open openat openat2 pipe pipe2 pread64 preadv "
	  "preadv2 pwrite64 pwritev pwritev2 read readahead readlink readlinkat readv "
	  "removexattr rename renameat renameat2 rmdir sendfile setxattr splice stat "
	  "statfs statx symlink symlinkat sync sync_file_range syncfs tee truncate "
	  "umask unlink unlinkat utime utimensat utimes write writev" },
	/* Waiting for descriptors; kernel AIO, which databases use. */
	{ SB_RULE_ALLOW, "epoll_create epoll_create1 epoll_ctl epoll_pwait epoll_pwait2 epoll_wait "
			 "eventfd eventfd2 io_cancel io_destroy io_getevents io_pgetevents "
			 "io_submit poll ppoll pselect6 select signalfd signalfd4 timerfd_create "
			 "timerfd_gettime timerfd_settime" },
	/* Memory of the caller. map_shadow_stack and mseal: glibc 2.39 and 2.41 use them. */
	{ SB_RULE_ALLOW,
	  "brk madvise map_shadow_stack membarrier memfd_create mincore mlock mlock2 "
	  "mlockall mmap mprotect mremap mseal msync munlock munlockall munmap "
	  "pkey_alloc pkey_free pkey_mprotect" },
	/* Processes, threads and their limits. */
	{ SB_RULE_ALLOW,
	  "arch_prctl capget capset execve execveat exit exit_group fork futex "
	  "get_robust_list get_thread_area getcpu getegid geteuid getgid getgroups "
	  "getpgid getpgrp getpid getppid getpriority getresgid getresuid getrlimit "
	  "getrusage getsid gettid getuid ioprio_get ioprio_set pidfd_open prctl "
	  "prlimit64 restart_syscall rseq sched_get_priority_max sched_get_priority_min "
	  "sched_getaffinity sched_getattr sched_getparam sched_getscheduler "
	  "sched_rr_get_interval sched_setaffinity sched_setattr sched_setparam "
	  "sched_setscheduler sched_yield set_robust_list set_thread_area "
	  "set_tid_address setfsgid setfsuid setgid setgroups setpgid setpriority "
	  "setregid setresgid setresuid setreuid setrlimit setsid setuid vfork wait4 "
	  "waitid" },
	/*
	 * Debuggers, strace, LeakSanitizer. A tracer could once step past the filter; since Linux
	 * 4.8 seccomp runs after the tracer, and we need 5.6 anyhow.
	 */
	{ SB_RULE_ALLOW, "ptrace" },
	/* Signals. */
	{ SB_RULE_ALLOW,
	  "kill pause pidfd_send_signal rt_sigaction rt_sigpending rt_sigprocmask "
	  "rt_sigqueueinfo rt_sigreturn rt_sigsuspend rt_sigtimedwait rt_tgsigqueueinfo "
	  "sigaltstack tgkill tkill" },
	/* Clocks and timers; setting the clock is asked of CAP_SYS_TIME, which nobody here has. */
	{ SB_RULE_ALLOW,
	  "adjtimex alarm clock_adjtime clock_getres clock_gettime clock_nanosleep "
	  "getitimer gettimeofday nanosleep setitimer time timer_create timer_delete "
	  "timer_getoverrun timer_gettime timer_settime times" },
	/* Sockets that exist already, and IPC of the sandbox's own IPC namespace. */
	{ SB_RULE_ALLOW,
	  "accept accept4 bind connect getpeername getsockname getsockopt listen "
	  "mq_getsetattr mq_notify mq_open mq_timedreceive mq_timedsend mq_unlink "
	  "msgctl msgget msgrcv msgsnd recvfrom recvmmsg recvmsg semctl semget semop "
	  "semtimedop sendmmsg sendmsg sendto shmat shmctl shmdt shmget shutdown" },
	/* Information, and rights that can only be given away. */
	{ SB_RULE_ALLOW,
	  "getrandom landlock_add_rule landlock_create_ruleset landlock_restrict_self "
	  "seccomp sysinfo uname" },
	/* Traps that the kernel itself plants in a probed process (Linux 6.11, 6.18). */
	{ SB_RULE_ALLOW, "uretprobe uprobe" },

	/* Allowed by their arguments: sb_seccomp_checks below. */
	{ SB_RULE_CLONE, "clone" },
	{ SB_RULE_UNSHARE, "unshare" },
	{ SB_RULE_SOCKET, "socket socketpair" },
	{ SB_RULE_SETSOCKOPT, "setsockopt" },
	{ SB_RULE_IOCTL, "ioctl" },
	{ SB_RULE_PERSONALITY, "personality" },

	/* Other namespaces and mounts: CVE-2022-0185 (fsconfig), CVE-2022-0492 (cgroup v1). */
	{ SB_RULE_EPERM, "fsconfig fsmount fsopen fspick mount mount_setattr move_mount open_tree "
			 "pivot_root setns umount2" },
	/* The host's kernel, clock, disks and names: never a sandbox's business. */
	{ SB_RULE_EPERM, "acct clock_settime delete_module finit_module init_module ioperm iopl "
			 "kexec_file_load kexec_load quotactl quotactl_fd reboot setdomainname "
			 "sethostname settimeofday swapoff swapon syslog vhangup" },
	/* Interpreters and key rings in the kernel, and the heap-grooming tools of exploits. */
	{ SB_RULE_EPERM, "add_key bpf keyctl perf_event_open request_key userfaultfd vmsplice" },
	/* 16-bit code for emulators of old PCs; CVE-2015-5157. We kill 32-bit programs anyhow. */
	{ SB_RULE_EPERM, "modify_ldt" },
	/* Reaching into other processes and past path permissions (CVE-2014-3519 "shocker"). */
	{ SB_RULE_EPERM, "fanotify_init fanotify_mark kcmp open_by_handle_at pidfd_getfd "
			 "process_madvise" },
	/* Placement on NUMA nodes, which a limit of the host decides; Docker asks CAP_SYS_NICE. */
	{ SB_RULE_EPERM, "get_mempolicy mbind migrate_pages move_pages set_mempolicy "
			 "set_mempolicy_home_node" },

	/* The flags lie in memory where no filter can look; libc falls back to clone. */
	{ SB_RULE_ENOSYS, "clone3" },
	/* Its events are one budget for the whole host (fs.aio-max-nr); programs fall back. */
	{ SB_RULE_ENOSYS, "io_setup" },
	/* More than ten exploited bugs; Docker and podman dropped it in 2023 and 2021. */
	{ SB_RULE_ENOSYS, "io_uring_enter io_uring_register io_uring_setup" },
	/* Debuggers fall back to ptrace. */
	{ SB_RULE_ENOSYS, "process_vm_readv process_vm_writev" },
	/* New and without users that lack a fallback; CVE-2026-43499 (requeue), cache timing. */
	{ SB_RULE_ENOSYS, "cachestat futex_requeue futex_wait futex_waitv futex_wake listmount "
			  "lsm_get_self_attr lsm_list_modules lsm_set_self_attr memfd_secret "
			  "process_mrelease statmount" },
	/* Obsolete; most are gone from the kernel. */
	{ SB_RULE_ENOSYS, "_sysctl afs_syscall create_module epoll_ctl_old epoll_wait_old "
			  "get_kernel_syms getpmsg lookup_dcookie nfsservctl putpmsg query_module "
			  "remap_file_pages security sysfs tuxcall uselib ustat vserver" },
};

const size_t sb_seccomp_n_groups = SB_ARRAY_SIZE(sb_seccomp_groups);

#define RET_ERRNO(e) (SECCOMP_RET_ERRNO | (e))
#define BITS(a, m)                                                 \
	{                                                          \
		.arg = (a), .n = 1, .bits = true, .values = {(m) } \
	}
#define ALWAYS         \
	{              \
		.n = 0 \
	}
#define IN(a, ...)                                                                    \
	{                                                                             \
		.arg = (a), .n = sizeof((uint32_t[]){ __VA_ARGS__ }) / 4, .values = { \
			__VA_ARGS__                                                   \
		}                                                                     \
	}

/* CLONE_NEWTIME shares its bit with the exit signal of clone(2), where it does not exist. */
#define NEW_NAMESPACE                                                                  \
	(CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | \
	 CLONE_NEWPID | CLONE_NEWNET)

const struct sb_seccomp_check sb_seccomp_checks[] = {
	/* User and network namespaces are the door to most kernel bugs of the last ten years. */
	{ SB_RULE_CLONE, BITS(0, NEW_NAMESPACE), ALWAYS, RET_ERRNO(EPERM) },
	{ SB_RULE_CLONE, ALWAYS, ALWAYS, SECCOMP_RET_ALLOW },
	{ SB_RULE_UNSHARE, BITS(0, NEW_NAMESPACE | CLONE_NEWTIME), ALWAYS, RET_ERRNO(EPERM) },
	{ SB_RULE_UNSHARE, ALWAYS, ALWAYS, SECCOMP_RET_ALLOW },

	/*
	 * No AF_ALG (CVE-2026-31431), AF_VSOCK (reaches the hypervisor), AF_PACKET, AF_RXRPC…; no
	 * netlink but routes (nf_tables, xfrm); of IP only what needs no module of its own (SCTP,
	 * DCCP and L2TP would be loaded on demand).
	 */
	{ SB_RULE_SOCKET, IN(0, AF_UNIX), ALWAYS, SECCOMP_RET_ALLOW },
	{ SB_RULE_SOCKET, IN(0, AF_INET, AF_INET6),
	  IN(2, 0, IPPROTO_TCP, IPPROTO_UDP, IPPROTO_ICMP, IPPROTO_ICMPV6, IPPROTO_MPTCP),
	  SECCOMP_RET_ALLOW },
	{ SB_RULE_SOCKET, IN(0, AF_INET, AF_INET6), ALWAYS, RET_ERRNO(EPROTONOSUPPORT) },
	{ SB_RULE_SOCKET, IN(0, AF_NETLINK), IN(2, NETLINK_ROUTE), SECCOMP_RET_ALLOW },
	{ SB_RULE_SOCKET, ALWAYS, ALWAYS, RET_ERRNO(EAFNOSUPPORT) },

	/* TLS in the kernel: CVE-2023-52447, CVE-2025-38616, CVE-2026-31533. */
	{ SB_RULE_SETSOCKOPT, IN(1, IPPROTO_TCP), IN(2, TCP_ULP), RET_ERRNO(EPERM) },
	{ SB_RULE_SETSOCKOPT, ALWAYS, ALWAYS, SECCOMP_RET_ALLOW },

	/*
	 * Typing into the caller's terminal (CVE-2017-5226), and line disciplines, each a module
	 * loaded on demand (CVE-2017-2636, CVE-2023-6546).
	 */
	{ SB_RULE_IOCTL, IN(1, TIOCSTI, TIOCLINUX, TIOCSETD), ALWAYS, RET_ERRNO(EPERM) },
	{ SB_RULE_IOCTL, ALWAYS, ALWAYS, SECCOMP_RET_ALLOW },

	/* PER_LINUX, PER_LINUX32, both with UNAME26, and the question what is set (Docker). */
	{ SB_RULE_PERSONALITY, IN(0, 0x0, 0x8, 0x20000, 0x20008, 0xffffffff), ALWAYS,
	  SECCOMP_RET_ALLOW },
	{ SB_RULE_PERSONALITY, ALWAYS, ALWAYS, RET_ERRNO(EPERM) },
};

const size_t sb_seccomp_n_checks = SB_ARRAY_SIZE(sb_seccomp_checks);

/*
 * struct number - a call that libseccomp 2.5.4 may not know yet
 * @name:	name
 * @x86_64:	its number there; -1: none
 * @aarch64:	likewise
 */
struct number {
	const char *name;
	int x86_64;
	int aarch64;
};

/* Linux 6.18, arch/x86/entry/syscalls/syscall_64.tbl and scripts/syscall.tbl */
static const struct number newer[] = {
	{ "uretprobe", 335, -1 },
	{ "uprobe", 336, -1 },
	{ "set_mempolicy_home_node", 450, 450 },
	{ "cachestat", 451, 451 },
	{ "fchmodat2", 452, 452 },
	{ "map_shadow_stack", 453, 453 },
	{ "futex_wake", 454, 454 },
	{ "futex_wait", 455, 455 },
	{ "futex_requeue", 456, 456 },
	{ "statmount", 457, 457 },
	{ "listmount", 458, 458 },
	{ "lsm_get_self_attr", 459, 459 },
	{ "lsm_set_self_attr", 460, 460 },
	{ "lsm_list_modules", 461, 461 },
	{ "mseal", 462, 462 },
};

/**
 * sb_seccomp_number() - Number of a system call
 * @audit_arch:	AUDIT_ARCH_X86_64 or AUDIT_ARCH_AARCH64
 * @name:	name of the call
 *
 * Return: number, -ENOENT if the architecture lacks it, -EINVAL if no such name is known, or
 * -ESTALE if libseccomp contradicts the numbers above
 */
int sb_seccomp_number(uint32_t audit_arch, const char *name)
{
	uint32_t arch = audit_arch == AUDIT_ARCH_X86_64 ? SCMP_ARCH_X86_64 : SCMP_ARCH_AARCH64;
	int nr = seccomp_syscall_resolve_name_arch(arch, name);

	for (size_t i = 0; i < SB_ARRAY_SIZE(newer); i++) {
		int known = arch == SCMP_ARCH_X86_64 ? newer[i].x86_64 : newer[i].aarch64;

		if (strcmp(newer[i].name, name) != 0)
			continue;
		if (nr >= 0 && nr != known)
			return -ESTALE;
		return known >= 0 ? known : -ENOENT;
	}
	if (nr == __NR_SCMP_ERROR)
		return -EINVAL;
	return nr >= 0 ? nr : -ENOENT; /* other negative values: calls of other architectures */
}

/**
 * sb_seccomp_name() - Name of a system call that libseccomp knows
 * @audit_arch:	AUDIT_ARCH_X86_64 or AUDIT_ARCH_AARCH64
 * @nr:		number
 *
 * Return: name, which the caller frees, or NULL
 */
char *sb_seccomp_name(uint32_t audit_arch, int nr)
{
	uint32_t arch = audit_arch == AUDIT_ARCH_X86_64 ? SCMP_ARCH_X86_64 : SCMP_ARCH_AARCH64;

	return seccomp_syscall_resolve_num_arch(arch, nr);
}
