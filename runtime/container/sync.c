/* SPDX-License-Identifier: Apache-2.0 */
/* sync.c - how the child of a clone(2) tells its parent what became of it */
#include "runtime/container/sync.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "runtime/base/err.h"

/**
 * sb_sync_pair() - Make the pair
 * @ret_fds:	[0] is the parent's end, [1] the child's; the caller closes what it does not use
 *
 * Return: 0, or a negative errno value
 */
int sb_sync_pair(int ret_fds[2], struct sb_err *err)
{
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ret_fds) < 0)
		return sb_err_set(err, errno, "make a socket pair");
	return 0;
}

/**
 * sb_sync_fail() - The child's last words
 * @fd:		the child's end
 * @msg:	why it failed
 *
 * Does not return: the child of a clone must never run on into its parent's code.
 */
void sb_sync_fail(int fd, const struct sb_err *msg)
{
	/* Nobody listens any more: nothing left to tell. */
	(void)send(fd, msg, sizeof(*msg), MSG_NOSIGNAL);
	_exit(msg->exit_code ? msg->exit_code : 125);
}

/**
 * sb_sync_result() - Learn whether the child's program runs
 * @fd:		the parent's end; blocking, or readable
 *
 * The parent must have closed its copy of the child's end. A child that was killed before its
 * execve(2) looks like one that succeeded: its wait status tells.
 *
 * Return: 0, or the child's own error
 */
int sb_sync_result(int fd, struct sb_err *err)
{
	struct sb_err msg = SB_ERR_INIT;
	ssize_t n;

	do
		n = recv(fd, &msg, sizeof(msg), 0);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return sb_err_set(err, errno, "receive from child");
	if (n == 0)
		return 0;
	if (n != (ssize_t)sizeof(msg) || msg.code <= 0)
		return sb_err_refuse(err, EPROTO, "child sent %zd bytes that are no error", n);
	*err = msg;
	return -err->code;
}
