/* SPDX-License-Identifier: Apache-2.0 */
/* sys.c - system calls that glibc 2.36 has no wrapper for, clocks, and process handles */
#include "runtime/base/sys.h"

#include <errno.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <linux/openat2.h>
#include <linux/sched.h>

/**
 * sb_clone3() - Fork with everything clone3(2) can do (Linux 5.3; CLONE_INTO_CGROUP: 5.7)
 * @args:	as documented there; without CLONE_VM and without a stack, so that it behaves like
 *		fork(2): the child goes on with a copy of the caller's memory and stack
 *
 * glibc's fork handlers do not run: the caller must be single-threaded.
 *
 * Return: 0 in the child, its pid in the parent, or -1 with errno set
 */
pid_t sb_clone3(struct clone_args *args)
{
	return (pid_t)syscall(SYS_clone3, args, sizeof(*args));
}

/**
 * sb_openat2() - Open with rules about how the path is resolved, openat2(2) (Linux 5.6)
 * @dirfd:	directory
 * @path:	path below it
 * @how:	flags, mode and RESOLVE_* rules
 *
 * Return: a descriptor, or -1 with errno set
 */
int sb_openat2(int dirfd, const char *path, const struct open_how *how)
{
	return (int)syscall(SYS_openat2, dirfd, path, how, sizeof(*how));
}

/**
 * sb_pivot_root() - pivot_root(2)
 * @new_root:	becomes /
 * @put_old:	gets the old root; "." for both stacks the old root on the new one
 *
 * Needs CAP_SYS_ADMIN over the mount namespace.
 *
 * Return: 0, or -1 with errno set
 */
int sb_pivot_root(const char *new_root, const char *put_old)
{
	return (int)syscall(SYS_pivot_root, new_root, put_old);
}

/**
 * sb_execveat() - execveat(2) (Linux 3.19)
 * @fd:		the program itself with AT_EMPTY_PATH, else the directory of @path
 * @path:	path, empty with AT_EMPTY_PATH
 * @argv:	arguments
 * @envp:	environment
 * @flags:	AT_EMPTY_PATH or 0
 *
 * Return: only on failure, -1 with errno set
 */
int sb_execveat(int fd, const char *path, char *const argv[], char *const envp[], int flags)
{
	return (int)syscall(SYS_execveat, fd, path, argv, envp, flags);
}

/**
 * sb_pidfd_send_signal() - Signal exactly the process that @pidfd stands for (Linux 5.1)
 * @pidfd:	process handle; borrowed
 * @sig:	signal number; 0 only asks whether it is there
 *
 * Return: 0, or -1 with errno set (ESRCH: it has ended)
 */
int sb_pidfd_send_signal(int pidfd, int sig)
{
	return (int)syscall(SYS_pidfd_send_signal, pidfd, sig, NULL, 0);
}

/**
 * sb_reap() - Wait for a child that ends by itself or was killed, whatever its status
 * @pid:	child, not yet waited for
 */
void sb_reap(pid_t pid)
{
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
}

/**
 * sb_now_us() - Monotonic clock, for durations
 *
 * Return: microseconds since an arbitrary start
 */
uint64_t sb_now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

/**
 * sb_now_ms() - Monotonic clock, for deadlines
 *
 * Return: milliseconds since an arbitrary start
 */
uint64_t sb_now_ms(void)
{
	return sb_now_us() / 1000;
}

/**
 * sb_wall_ms() - Wall clock, for records
 *
 * Return: milliseconds since 1970-01-01T00:00:00Z
 */
int64_t sb_wall_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/**
 * sb_time_format() - A point in time as RFC 3339 text in UTC
 * @wall_ms:	milliseconds since the epoch, not before it
 * @buf:	room for SB_TIME_LEN bytes
 *
 * By hand: gmtime_r(3) would read /etc/localtime the first time. A year begins in March here, so
 * that the leap day is its last; eras of 400 years repeat exactly.
 *
 * Return: @buf
 */
const char *sb_time_format(int64_t wall_ms, char *buf)
{
	int64_t s = wall_ms / 1000, days = s / 86400 + 719468; /* since 0000-03-01 */
	int era = (int)(days / 146097), day = (int)(days % 146097);
	int year = (day - day / 1460 + day / 36524 - day / 146096) / 365;
	int in_year = day - (365 * year + year / 4 - year / 100);
	int month = (5 * in_year + 2) / 153; /* 0 = March */
	int tod = (int)(s % 86400);

	snprintf(buf, SB_TIME_LEN, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ",
		 (era * 400 + year + (month >= 10)) % 10000, month < 10 ? month + 3 : month - 9,
		 in_year - (153 * month + 2) / 5 + 1, tod / 3600, tod / 60 % 60, tod % 60,
		 (int)(wall_ms % 1000));
	return buf;
}
