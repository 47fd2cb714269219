/* SPDX-License-Identifier: Apache-2.0 */
/* idmap.c - the user namespace that makes root inside nobody outside */
#include "runtime/container/idmap.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include <linux/sched.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/sys.h"

/* Write both maps of the namespace that process @pid has made, and open that namespace. */
static int map_and_open(pid_t pid, uid_t base, struct sb_err *err)
{
	char path[64], map[64];
	int fd;

	snprintf(map, sizeof(map), "0 %u %d\n", base, SB_IDMAP_SIZE);
	snprintf(path, sizeof(path), "/proc/%d/uid_map", pid);
	if (sb_put_at(AT_FDCWD, path, map, err) < 0)
		return -err->code;
	snprintf(path, sizeof(path), "/proc/%d/gid_map", pid);
	if (sb_put_at(AT_FDCWD, path, map, err) < 0)
		return -err->code;
	snprintf(path, sizeof(path), "/proc/%d/ns/user", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd >= 0 ? fd : sb_err_set(err, errno, "open '%s'", path);
}

/**
 * sb_idmap_create() - Make a user namespace that maps ids 0..65535 to a range of the host
 * @base:	first id of the range
 * @ret_helper:	child that the caller is to sb_reap() when it likes: it ends at once
 *
 * A user namespace is born only with a process in it; ours has a short-lived one that waits for the
 * end of a pipe. Needs CAP_SETUID and CAP_SETGID (user_namespaces(7), "Defining user and group ID
 * mappings"). The caller must be single-threaded.
 *
 * Return: a descriptor that keeps the namespace alive, or a negative errno value
 */
int sb_idmap_create(uid_t base, pid_t *ret_helper, struct sb_err *err)
{
	struct clone_args args = { .flags = CLONE_NEWUSER, .exit_signal = SIGCHLD };
	_cleanup_fd_ int keep_r = -1, keep_w = -1;
	int p[2], fd;
	pid_t pid;

	if (pipe2(p, O_CLOEXEC) < 0)
		return sb_err_set(err, errno, "make a pipe");
	keep_r = p[0];
	keep_w = p[1];
	pid = sb_clone3(&args);
	if (pid == 0) {
		char c;

		(void)close(p[1]);
		while (read(p[0], &c, 1) < 0 && errno == EINTR)
			;
		_exit(0);
	}
	if (pid < 0) {
		sb_err_set(err, errno, "make a user namespace");
		return sb_err_hint(err, "is /proc/sys/user/max_user_namespaces 0?");
	}
	fd = map_and_open(pid, base, err);
	if (fd >= 0) {
		*ret_helper = pid;
		return fd;
	}
	sb_close_fd(&keep_w);
	sb_reap(pid);
	return fd;
}
