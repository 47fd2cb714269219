/* SPDX-License-Identifier: Apache-2.0 */
/* netns.c - visits to another network namespace */
#include "net/netns.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/err.h"

/**
 * sb_netns_enter() - Move the caller into a network namespace
 * @netns_fd:	namespace; borrowed
 * @ret_home_fd: the way back; the caller hands it to sb_netns_leave()
 *
 * Only the calling thread moves, so the caller must be single-threaded. Needs CAP_SYS_ADMIN in its
 * own user namespace and in the one that owns @netns_fd (setns(2)).
 *
 * Return: 0, or a negative errno value with the caller still at home
 */
int sb_netns_enter(int netns_fd, int *ret_home_fd, struct sb_err *err)
{
	_cleanup_fd_ int home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);

	if (home < 0)
		return sb_err_set(err, errno, "open '/proc/self/ns/net'");
	if (setns(netns_fd, CLONE_NEWNET) < 0)
		return sb_err_set(err, errno, "enter network namespace");
	*ret_home_fd = sb_steal_fd(&home);
	return 0;
}

/**
 * sb_netns_leave() - Move the caller back to where it came from
 * @home_fd:	from sb_netns_enter(); closed
 *
 * Return: 0, or a negative errno value: the caller is still abroad and must give up. Seen only if
 * it dropped CAP_SYS_ADMIN in between
 */
int sb_netns_leave(int *home_fd, struct sb_err *err)
{
	int ret = 0;

	if (setns(*home_fd, CLONE_NEWNET) < 0)
		ret = sb_err_set(err, errno, "return from network namespace");
	sb_close_fd(home_fd);
	return ret;
}
