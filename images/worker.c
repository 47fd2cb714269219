/* SPDX-License-Identifier: Apache-2.0 */
/* worker.c - a child process at the other end of a socket */
#include "images/worker.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/err.h"

#define EXIT_LOST 125 /* as sbrun itself when it fails */

static int by_number(const void *a, const void *b)
{
	const int *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

/* Close all descriptors but the standard streams, @sock and those of @job. */
static int close_others(const struct sb_worker_job *job, int sock)
{
	int keep[SB_WORKER_KEEP_MAX + 1];
	unsigned int from = STDERR_FILENO + 1;
	size_t n = job->n_keep;

	if (n > SB_WORKER_KEEP_MAX)
		return -1;
	if (n > 0)
		memcpy(keep, job->keep, n * sizeof(*keep));
	keep[n++] = sock;
	qsort(keep, n, sizeof(*keep), by_number);
	for (size_t i = 0; i < n; i++) {
		if (keep[i] < (int)from)
			continue;
		if (keep[i] > (int)from && close_range(from, (unsigned int)keep[i] - 1, 0) < 0)
			return -1;
		from = (unsigned int)keep[i] + 1;
	}
	return close_range(from, ~0U, 0);
}

/*
 * Leave the caller's terminal and standard streams: who can write to them, or push characters into
 * a terminal (TIOCSTI, ioctl_tty(2)), acts for the user.
 */
static int leave_user(void)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (null < 0 || setsid() < 0)
		return -1;
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
#ifdef __SANITIZE_ADDRESS__
		if (fd == STDERR_FILENO)
			continue; /* its reports */
#endif
		if (dup2(null, fd) < 0)
			return -1;
	}
	return 0;
}

/**
 * sb_worker_start() - Start a child process
 * @job:	what it does
 * @ret:	ended with sb_worker_end() or sb_worker_kill(); written on success only
 *
 * The child dies with its parent, however that ends: nobody else would clean up after it. It has a
 * session of its own, and /dev/null for the standard streams. The caller has a single thread, and
 * standard streams that are open.
 *
 * Return: 0, or a negative errno value
 */
int sb_worker_start(const struct sb_worker_job *job, struct sb_worker *ret, struct sb_err *err)
{
	_cleanup_fd_ int mine = -1, theirs = -1;
	pid_t self = getpid(), pid;
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return sb_err_set(err, errno, "make a socket");
	mine = pair[0];
	theirs = pair[1];
	pid = fork();
	if (pid < 0)
		return sb_err_set(err, errno, "start the %s", job->name);
	if (pid == 0) {
		if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != self || leave_user() < 0 ||
		    close_others(job, theirs) < 0)
			_exit(EXIT_LOST);
		_exit(job->run(theirs, job->arg));
	}
	*ret = (struct sb_worker){ .pid = pid, .sock = sb_steal_fd(&mine) };
	return 0;
}

/**
 * sb_worker_end() - Wait until a child has ended
 * @worker:	is reset; one that was never started counts as ended well
 * @name:	what messages call it
 *
 * Closes the socket first: a child that waits for messages ends then.
 *
 * Return: its exit code, or a negative errno value (-EIO: killed by a signal)
 */
int sb_worker_end(struct sb_worker *worker, const char *name, struct sb_err *err)
{
	pid_t pid = worker->pid;
	int status = 0;

	sb_close_fd(&worker->sock);
	worker->pid = -1;
	if (pid < 0)
		return 0;
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return sb_err_set(err, errno, "wait for the %s", name);
	if (WIFSIGNALED(status))
		return sb_err_set(err, EIO, "the %s was killed by signal %d", name,
				  WTERMSIG(status));
	return WEXITSTATUS(status);
}

/**
 * sb_worker_kill() - End a child whose work is of no use any more
 * @worker:	is reset; nothing happens if it was never started
 */
void sb_worker_kill(struct sb_worker *worker)
{
	struct sb_err ignored = SB_ERR_INIT;

	if (worker->pid >= 0)
		(void)kill(worker->pid, SIGKILL);
	(void)sb_worker_end(worker, "", &ignored);
}
