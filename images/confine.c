/* SPDX-License-Identifier: Apache-2.0 */
/*
 * confine.c - what the unpacking process can still reach, and the one thing it asks others to do
 *
 * sbrun-image is two processes. The child does all work on hostile bytes. It sees no file system
 * but the store (and, if that is the source, the layout directory, read-only), has no network, and
 * keeps of root's powers only what making files of any owner and kind needs. Parent and child are
 * joined by a socket, because overlay's mark for opaque directories is an attribute trusted.*,
 * which takes CAP_SYS_ADMIN (xattr(7)), a capability that would void the rest: the child sends the
 * directory's descriptor, the parent sets the attribute.
 */
#include "images/confine.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdint.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <linux/capability.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"

/* Owner, mode and times of files that are somebody else's by then; devices; file capabilities. */
#define KEPT_CAPS                                                                         \
	(1U << CAP_CHOWN | 1U << CAP_FOWNER | 1U << CAP_FSETID | 1U << CAP_DAC_OVERRIDE | \
	 1U << CAP_MKNOD | 1U << CAP_SETFCAP)

/* A private view of directory *@fd, from which ".." leads nowhere; replaces the descriptor. */
static int detach(int *fd, uint64_t attrs, struct sb_err *err)
{
	struct mount_attr attr = { .attr_set = attrs };
	_cleanup_fd_ int tree =
		open_tree(*fd, "", AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);

	if (tree < 0)
		return sb_err_set(err, errno, "clone a mount");
	if (mount_setattr(tree, "", AT_EMPTY_PATH, &attr, sizeof(attr)) < 0)
		return sb_err_set(err, errno, "restrict a mount");
	sb_close_fd(fd);
	*fd = sb_steal_fd(&tree);
	return 0;
}

/* Make the detached mount @tree our root, on top of the old one. */
static int enter_root(int tree, struct sb_err *err)
{
	if (unshare(CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC) < 0)
		return sb_err_set(err, errno, "make namespaces");
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return sb_err_set(err, errno, "make mounts private");
	if (move_mount(tree, "", AT_FDCWD, "/", MOVE_MOUNT_F_EMPTY_PATH) < 0 || fchdir(tree) < 0 ||
	    chroot(".") < 0)
		return sb_err_set(err, errno, "change the root");
	return 0;
}

static int drop_caps(struct sb_err *err)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = {
		{ .effective = KEPT_CAPS, .permitted = KEPT_CAPS },
	};

	/* EINVAL: the kernel doesn't know this one, nor those after it. */
	for (unsigned long cap = 0; prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) == 0; cap++)
		;
	if (syscall(SYS_capset, &head, data) < 0)
		return sb_err_set(err, errno, "drop capabilities");
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return sb_err_set(err, errno, "set no_new_privs");
	return 0;
}

/**
 * sb_confine_enter() - Give up all that unpacking doesn't need
 * @store_dirfd:	the store; replaced by a descriptor that leads nowhere else
 * @source_fd:		file, pipe or directory; a directory is replaced likewise
 *
 * Needs CAP_SYS_ADMIN, CAP_SYS_CHROOT and CAP_SETPCAP, and a single thread. On failure the process
 * is in an unusable state between: it should end.
 *
 * Return: 0, or a negative errno value
 */
int sb_confine_enter(int *store_dirfd, int *source_fd, struct sb_err *err)
{
	const uint64_t quiet = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;
	struct stat st;
	int fd;

	if (fstat(*source_fd, &st) < 0)
		return sb_err_set(err, errno, "look at the archive");
	/* Before unshare(2): a mount can only be cloned in the namespace it belongs to. */
	if (S_ISDIR(st.st_mode) && detach(source_fd, quiet | MOUNT_ATTR_RDONLY, err) < 0)
		return sb_err_prefix(err, "archive");
	if (detach(store_dirfd, quiet, err) < 0 || enter_root(*store_dirfd, err) < 0)
		return sb_err_prefix(err, "store");
	/* What open_tree(2) gives is O_PATH, which syncfs(2) and flock(2) don't take. */
	fd = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return sb_err_set(err, errno, "open the store");
	sb_close_fd(store_dirfd);
	*store_dirfd = fd;
	return drop_caps(err);
}

/* Only directories, and only where layers are: all the child may ask for. */
static int mark_opaque(int fd, dev_t store_dev)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISDIR(st.st_mode) || st.st_dev != store_dev)
		return -EPERM;
	return fsetxattr(fd, "trusted.overlay.opaque", "y", 1, 0) < 0 ? -errno : 0;
}

/**
 * sb_broker_serve() - Mark directories as opaque for the child, until it ends
 * @sock:	SOCK_SEQPACKET, the child has the other end; borrowed
 * @store_dev:	device of the store
 *
 * Return: 0 when the other end is closed, or a negative errno value
 */
int sb_broker_serve(int sock, dev_t store_dev, struct sb_err *err)
{
	for (;;) {
		int fds[SB_FDS_MAX];
		size_t n_fds;
		char question;
		int32_t answer;
		ssize_t n = sb_recv_fds(sock, &question, sizeof(question), fds, &n_fds);

		if (n == 0 || n == -ECONNRESET)
			return 0;
		if (n < 0)
			return sb_err_set(err, (int)-n, "receive from the unpacker");
		answer = n_fds == 1 ? mark_opaque(fds[0], store_dev) : -EINVAL;
		while (n_fds > 0)
			(void)close(fds[--n_fds]);
		if (sb_send_fds(sock, &answer, sizeof(answer), NULL, 0) < 0)
			return 0; /* it died, as its exit status will tell */
	}
}

/**
 * sb_broker_set_opaque() - Ask the parent to mark a directory; for struct sb_layer_hooks
 * @client:	struct sb_broker_client
 * @dirfd:	directory, borrowed
 *
 * Return: 0, or a negative errno value
 */
int sb_broker_set_opaque(void *client, int dirfd)
{
	struct sb_broker_client *c = client;
	int32_t answer = -EIO;
	int fds[SB_FDS_MAX];
	size_t n_fds = 0;
	ssize_t n;
	int r;

	pthread_mutex_lock(&c->lock);
	r = sb_send_fds(c->sock, "o", 1, &dirfd, 1);
	n = r < 0 ? r : sb_recv_fds(c->sock, &answer, sizeof(answer), fds, &n_fds);
	pthread_mutex_unlock(&c->lock);
	while (n_fds > 0)
		(void)close(fds[--n_fds]);
	if (n < 0)
		return (int)n;
	return n == sizeof(answer) ? answer : -EIO;
}
