/* SPDX-License-Identifier: Apache-2.0 */
/*
 * exec.c - start a program in a running container
 *
 * DOC: Theory of operation
 *
 * Two processes. The first is born into the cgroup2 leaf and joins the limits and all namespaces; a
 * pid namespace is only joined for one's children, so it is never visible inside, where anybody
 * could read the host's mount table and sockets in its /proc entries. It makes the second, which is
 * in the container from its first instruction on, as a child of the caller (CLONE_PARENT), and
 * goes.
 *
 * Until it has changed its user the second one belongs to the host's root, so nothing inside may
 * signal or trace it; it is not dumpable either (CVE-2016-9962). The parent never waits for it: a
 * process that the container stops half-way delays only itself.
 *
 * Between entering the container and execve(2) nothing of the container is executed or loaded: no
 * name service, no locale, no dlopen (CVE-2019-14271, CVE-2026-41567). Every path is resolved by
 * descriptor without magic links, so that a working directory of /proc/self/fd/N leads nowhere
 * (CVE-2024-21626).
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <linux/sched.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/path.h"
#include "runtime/base/str.h"
#include "runtime/base/sys.h"
#include "runtime/container/caps.h"
#include "runtime/container/cgroup.h"
#include "runtime/container/idmap.h"
#include "runtime/container/process.h"
#include "runtime/container/seccomp.h"
#include "runtime/container/sync.h"
#include "runtime/container/user.h"

static int join(const struct sb_exec *x, struct sb_err *err)
{
	/* The copy of our memory is readable by nobody inside: prctl(2), PR_SET_DUMPABLE. */
	(void)prctl(PR_SET_DUMPABLE, 0);
	if (sb_cgroup_join(x->cgroup, err) < 0)
		return -err->code;
	/* A namespace of its own, so that the process sees its leaf as "/". */
	if (unshare(CLONE_NEWCGROUP) < 0)
		return sb_err_set(err, errno, "make a cgroup namespace");
	if (setns(x->init_pidfd,
		  CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWPID) < 0)
		return sb_err_set(err, errno, "enter the namespaces");
	return 0;
}

static int enter_cwd(int rootfd, const char *cwd, struct sb_err *err)
{
	_cleanup_fd_ int fd = sb_open_in_root(rootfd, cwd, O_PATH | O_DIRECTORY, 0);
	char where[PATH_MAX];

	if (fd < 0 || fchdir(fd) < 0) {
		sb_err_set(err, fd < 0 ? -fd : errno, "change to directory '%s'", cwd);
		err->exit_code = 126;
		return -err->code;
	}
	/* getcwd(3) says "(unreachable)" for a directory outside the root. */
	if (!getcwd(where, sizeof(where)) || where[0] != '/')
		return sb_err_refuse(err, EXDEV, "directory '%s' is outside the container", cwd);
	return 0;
}

static int set_stdio(const struct sb_exec *x, const struct sb_user *user, struct sb_err *err)
{
	(void)setsid();
	if (x->is_tty) {
		if (ioctl(x->stdio[0], TIOCSCTTY, 0) < 0)
			return sb_err_set(err, errno, "take the terminal");
		if (fchown(x->stdio[0], x->id_base + user->uid, x->id_base + SB_TTY_GID) < 0)
			return sb_err_set(err, errno, "give the terminal to the user");
	}
	for (int fd = 0; fd < 3; fd++)
		if (dup3(x->stdio[fd], fd, 0) < 0 && errno != EINVAL)
			return sb_err_set(err, errno, "redirect descriptor %d", fd);
	if (close_range(3, ~0U, CLOSE_RANGE_CLOEXEC) < 0) /* Linux 5.11 */
		return sb_err_set(err, errno, "mark descriptors close-on-exec");
	return 0;
}

static int become(const struct sb_exec *x, const struct sb_user *user, struct sb_err *err)
{
	const struct rlimit no_core = { 0, 0 };
	sigset_t no_signals;

	/* The last id of the range is (uid16_t)-1, "no change" for old system calls: setuid(2). */
	if (user->uid >= SB_IDMAP_SIZE - 1 || user->gid >= SB_IDMAP_SIZE - 1) {
		sb_err_refuse(err, EINVAL, "user %u:%u is outside the container's ids 0..%d",
			      user->uid, user->gid, SB_IDMAP_SIZE - 2);
		err->exit_code = 126;
		return -err->code;
	}
	/* What our caller blocks or ignores, its umask and our own limits are not the program's
	 * business. CLONE_CLEAR_SIGHAND leaves ignored signals ignored. */
	for (int sig = 1; sig <= SIGRTMAX; sig++)
		(void)signal(sig, SIG_DFL);
	sigemptyset(&no_signals);
	(void)sigprocmask(SIG_SETMASK, &no_signals, NULL);
	(void)umask(022);
	/* A core_pattern of the host must not handle crashes of untrusted programs. */
	(void)setrlimit(RLIMIT_CORE, &no_core);
	(void)setrlimit(RLIMIT_NOFILE, &x->nofile);
	if (setns(x->userns_fd, CLONE_NEWUSER) < 0)
		return sb_err_set(err, errno, "enter the user namespace");
	if (setgroups(user->n_groups, user->groups) < 0 ||
	    setresgid(user->gid, user->gid, user->gid) < 0)
		return sb_err_set(err, errno, "set the groups of user '%s'", x->user);
	if (sb_caps_bound(err) < 0)
		return -err->code;
	if (setresuid(user->uid, user->uid, user->uid) < 0)
		return sb_err_set(err, errno, "become user '%s'", x->user);
	if (sb_caps_apply(user->uid == 0, err) < 0)
		return -err->code;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return sb_err_set(err, errno, "set no_new_privs");
	return sb_seccomp_default_load(err);
}

/* Try every directory of PATH, as execvp(3) does but with the container's own PATH and no shell. */
static void execute(char *const *argv, const struct sb_strv *env, struct sb_err *err)
{
	const char *name = argv[0];
	const char *path = sb_strv_get_env(env, "PATH");
	char full[PATH_MAX];
	int code = ENOENT;

	if (strchr(name, '/')) {
		(void)execve(name, argv, env->v);
		(void)sb_exec_explain(name, errno, err);
		return;
	}
	for (const char *p = path ? path : SB_DEFAULT_PATH; *name; p++) {
		size_t len = strcspn(p, ":");
		int n = snprintf(full, sizeof(full), "%.*s/%s", len ? (int)len : 1, len ? p : ".",
				 name);

		if (n < (int)sizeof(full)) {
			(void)execve(full, argv, env->v);
			if (errno != ENOENT && errno != ENOTDIR && errno != EACCES) {
				(void)sb_exec_explain(full, errno, err);
				return;
			}
			/* There but unusable is worth more to the user than not there. */
			if (faccessat(AT_FDCWD, full, F_OK, AT_SYMLINK_NOFOLLOW) == 0) {
				(void)sb_exec_explain(full, errno == EACCES ? EACCES : ENOENT, err);
				code = 0;
			}
		}
		p += len;
		if (!*p)
			break;
	}
	if (code)
		(void)sb_exec_explain(name, code, err);
}

static void run_child(const struct sb_exec *x, struct sb_err *err)
{
	struct sb_strv env = SB_STRV_INIT;
	struct sb_user user;
	char home[PATH_MAX + 8];
	int rootfd;

	rootfd = sb_open_dir_at(AT_FDCWD, "/", err);
	if (rootfd < 0)
		return;
	if (sb_user_resolve(rootfd, x->user, &user, err) < 0) {
		err->exit_code = 126;
		return;
	}
	for (char *const *e = x->env; *e; e++)
		if (sb_strv_add(&env, *e, err) < 0)
			return;
	snprintf(home, sizeof(home), "HOME=%s", user.home);
	if (!sb_strv_get_env(&env, "HOME") && sb_strv_add(&env, home, err) < 0)
		return;
	if (enter_cwd(rootfd, x->cwd, err) < 0 || set_stdio(x, &user, err) < 0 ||
	    become(x, &user, err) < 0)
		return;
	execute(x->argv, &env, err);
}

/* The first process: join, make the second one, tell its pid through @pid_fd, and go. */
static void run_joiner(const struct sb_exec *x, int pid_fd, struct sb_err *err)
{
	struct clone_args args = { .flags = CLONE_PARENT | CLONE_CLEAR_SIGHAND };
	pid_t pid;

	if (join(x, err) < 0)
		return;
	pid = sb_clone3(&args);
	if (pid == 0) {
		run_child(x, err);
		return;
	}
	if (pid < 0) {
		sb_err_set(err, errno, "start a process in the container");
		return;
	}
	if (sb_write_all(pid_fd, &pid, sizeof(pid)) < 0)
		_exit(125); /* the caller is gone, and with it the container */
	_exit(0);
}

/* Start the first process and learn the pid of the second. */
static int make_process(const struct sb_exec *x, const int sync[2], pid_t *ret, struct sb_err *err)
{
	struct clone_args args = {
		.flags = CLONE_INTO_CGROUP | CLONE_CLEAR_SIGHAND,
		.exit_signal = SIGCHLD,
		.cgroup = (uint64_t)x->leaf_fd,
	};
	_cleanup_fd_ int from = -1, to = -1;
	pid_t joiner, pid;
	int p[2];
	ssize_t n;

	if (pipe2(p, O_CLOEXEC) < 0)
		return sb_err_set(err, errno, "make a pipe");
	from = p[0];
	to = p[1];
	joiner = sb_clone3(&args);
	if (joiner == 0) {
		(void)close(sync[0]);
		run_joiner(x, to, err);
		sb_sync_fail(sync[1], err);
	}
	if (joiner < 0)
		return sb_err_set(err, errno, "start a process in the container");
	sb_close_fd(&to);
	/* Short: nothing inside can see or delay it. */
	sb_reap(joiner);
	do
		n = read(from, &pid, sizeof(pid));
	while (n < 0 && errno == EINTR);
	if (n == sizeof(pid)) {
		*ret = pid;
		return 0;
	}
	if (recv(sync[0], err, sizeof(*err), MSG_DONTWAIT) == (ssize_t)sizeof(*err) &&
	    err->code > 0)
		return -err->code;
	return sb_err_set(err, ECHILD, "a process died on its way into the container");
}

/**
 * sb_exec_spawn() - Start a program in a running container
 * @x:		what to start and how
 * @ret:	the process; whether its program runs tells sb_sync_result() on @ret->sync_fd, which
 *		becomes readable then
 *
 * Needs root on the host. The caller is single-threaded. Leaves nothing behind on failure.
 *
 * Return: 0, or a negative errno value (-ENOMEM: process 1 has ended, fork(2) gives that)
 */
int sb_exec_spawn(const struct sb_exec *x, struct sb_process *ret, struct sb_err *err)
{
	struct sb_process p = SB_PROCESS_INIT;
	int sync[2];

	if (sb_sync_pair(sync, err) < 0)
		return -err->code;
	p.sync_fd = sync[0];
	if (make_process(x, sync, &p.pid, err) == 0) {
		/* It is our child and not reaped: the pid is its own. */
		p.pidfd = pidfd_open(p.pid, 0);
		if (p.pidfd < 0) {
			sb_err_set(err, errno, "open the process");
			(void)kill(p.pid, SIGKILL);
			sb_reap(p.pid);
		}
	}
	(void)close(sync[1]);
	if (p.pidfd < 0) {
		sb_process_close(&p);
		return -err->code;
	}
	*ret = p;
	return 0;
}
