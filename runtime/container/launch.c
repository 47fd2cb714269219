/* SPDX-License-Identifier: Apache-2.0 */
/*
 * launch.c - process 1 of a container
 *
 * DOC: Theory of operation
 *
 * One clone3(2) makes the process with its namespaces, inside its cgroup2 leaf. They belong to the
 * host's user namespace: whatever capabilities a process gains inside the container's own user
 * namespace, it has none over the network, the mounts or the host name.
 *
 * The parent goes on at once (it sets the network up meanwhile) and learns the outcome later with
 * sb_sync_result(). The child, in this order:
 *  1. joins the limits (v1), then makes a cgroup namespace, whose root is what it has joined;
 *  2. builds and enters its file system (rootfs.c);
 *  3. enters the user namespace and becomes root there: from now on it is nobody on the host;
 *  4. gives up the capabilities, sets no_new_privs, asks to die with the parent, and executes.
 *
 * Should: stay single-threaded; fail only through sb_sync_fail().
 * Mustn't: change credentials after asking for the parent-death signal: that clears it
 * (prctl(2), PR_SET_PDEATHSIG).
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/sched.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/err.h"
#include "runtime/base/sys.h"
#include "runtime/container/caps.h"
#include "runtime/container/cgroup.h"
#include "runtime/container/process.h"
#include "runtime/container/rootfs.h"
#include "runtime/container/seccomp.h"
#include "runtime/container/sync.h"

/**
 * sb_process_close() - Close the handles; the process goes on
 * @p:		process, also half-open
 */
void sb_process_close(struct sb_process *p)
{
	sb_close_fd(&p->pidfd);
	sb_close_fd(&p->sync_fd);
}

/* Stand where nothing of the caller is left: its terminal, its session, its open files. */
static int detach(struct sb_err *err)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (null < 0)
		return sb_err_set(err, errno, "open '/dev/null'");
	for (int fd = 0; fd < 3; fd++)
		if (dup2(null, fd) < 0)
			return sb_err_set(err, errno, "redirect descriptor %d", fd);
	(void)setsid();
	return 0;
}

static int become_root_inside(int userns_fd, struct sb_err *err)
{
	const struct rlimit no_core = { 0, 0 };

	(void)setrlimit(RLIMIT_CORE, &no_core);
	if (setns(userns_fd, CLONE_NEWUSER) < 0)
		return sb_err_set(err, errno, "enter the user namespace");
	if (setgroups(0, NULL) < 0 || setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0)
		return sb_err_set(err, errno, "become root of the container");
	if (sb_caps_bound(err) < 0)
		return -err->code;
	return sb_caps_apply(true, err); /* to pass signals on it needs CAP_KILL */
}

static int run_child(const struct sb_launch *l, int sync_fd, struct sb_err *err)
{
	static char *const argv[] = { (char *)(uintptr_t) "sbrun-init", NULL };
	static char *const env[] = { NULL };

	if (sb_cgroup_join(l->cgroup, err) < 0)
		return -err->code;
	if (unshare(CLONE_NEWCGROUP) < 0)
		return sb_err_set(err, errno, "make a cgroup namespace");
	if (sethostname(l->hostname, strlen(l->hostname)) < 0)
		return sb_err_set(err, errno, "set the host name '%s'", l->hostname);
	if (sb_rootfs_enter(l->rootfs, l->mounts, err) < 0 || detach(err) < 0 ||
	    become_root_inside(l->rootfs->userns_fd, err) < 0)
		return -err->code;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		return sb_err_set(err, errno, "set the process up");
	/* The parent may have died before we asked to die with it: then nobody holds the pair. */
	if (recv(sync_fd, (char[1]){ 0 }, 1, MSG_DONTWAIT) == 0)
		return sb_err_refuse(err, EOWNERDEAD, "the supervisor is gone");
	if (sb_seccomp_default_load(err) < 0)
		return -err->code;
	(void)sb_execveat(l->program_fd, "", argv, env, AT_EMPTY_PATH);
	return sb_err_set(err, errno, "execute sbrun-init");
}

/**
 * sb_launch() - Start process 1 of a container
 * @l:		what it needs
 * @ret:	the process; its namespaces exist already, its file system does not yet. Wait for it
 *		with sb_sync_result() on @ret->sync_fd
 *
 * Needs root on the host. The caller is single-threaded and is the process with which the container
 * dies. Leaves nothing behind on failure.
 *
 * Return: 0, or a negative errno value
 */
int sb_launch(const struct sb_launch *l, struct sb_process *ret, struct sb_err *err)
{
	struct sb_process p = SB_PROCESS_INIT;
	struct clone_args args = {
		.flags = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS |
			 CLONE_INTO_CGROUP | CLONE_PIDFD | CLONE_CLEAR_SIGHAND,
		.exit_signal = SIGCHLD,
		.pidfd = (uint64_t)(uintptr_t)&p.pidfd,
		.cgroup = (uint64_t)l->leaf_fd,
	};
	int sync[2];

	if (sb_sync_pair(sync, err) < 0)
		return -err->code;
	p.pid = sb_clone3(&args);
	if (p.pid == 0) {
		(void)close(sync[0]);
		(void)run_child(l, sync[1], err);
		sb_sync_fail(sync[1], err);
	}
	(void)close(sync[1]);
	if (p.pid < 0) {
		(void)close(sync[0]);
		return sb_err_set(err, errno, "clone process 1");
	}
	p.sync_fd = sync[0];
	*ret = p;
	return 0;
}
