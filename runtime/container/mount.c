/* SPDX-License-Identifier: Apache-2.0 */
/* mount.c - mounts by descriptor: no path is resolved twice */
#include "runtime/container/mount.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mount.h>
#include <unistd.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/err.h"

/**
 * sb_mount_new() - Make a new, detached instance of a file system
 * @fstype:	"proc", "tmpfs", …
 * @opts:	its options; NULL for none
 * @attrs:	MOUNT_ATTR_* of the mount
 *
 * fsopen(2), fsconfig(2), fsmount(2): Linux 5.2. Needs CAP_SYS_ADMIN over the caller's mount
 * namespace. The mount is gone when the descriptor is closed before it was attached.
 *
 * Return: a descriptor of its root, or a negative errno value
 */
int sb_mount_new(const char *fstype, const struct sb_mount_opt *opts, unsigned int attrs,
		 struct sb_err *err)
{
	_cleanup_fd_ int fs = fsopen(fstype, FSOPEN_CLOEXEC);
	int fd;

	if (fs < 0)
		return sb_err_set(err, errno, "open file system '%s'", fstype);
	/* What mount tables show as the device. */
	if (fsconfig(fs, FSCONFIG_SET_STRING, "source", fstype, 0) < 0)
		return sb_err_set(err, errno, "name the source of '%s'", fstype);
	for (; opts && opts->key; opts++)
		if (fsconfig(fs, opts->value ? FSCONFIG_SET_STRING : FSCONFIG_SET_FLAG, opts->key,
			     opts->value, 0) < 0)
			return sb_err_set(err, errno, "set %s option '%s'", fstype, opts->key);
	if (fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return sb_err_set(err, errno, "make a %s", fstype);
	fd = fsmount(fs, FSMOUNT_CLOEXEC, attrs);
	return fd >= 0 ? fd : sb_err_set(err, errno, "mount a %s", fstype);
}

/**
 * sb_mount_clone() - Make a detached bind mount
 * @dirfd:	directory, or the thing itself with an empty @path
 * @path:	path below it; a symbolic link as last component is not followed
 * @attrs:	MOUNT_ATTR_* to set on it
 * @idmap_fd:	user namespace whose map the mount gets (mount_setattr(2), Linux 5.12; overlayfs
 *		takes such layers since 5.19); -1 for none
 *
 * Needs CAP_SYS_ADMIN over the mount namespace; with @idmap_fd also over the file system.
 *
 * Return: a descriptor of its root, or a negative errno value (-EINVAL with @idmap_fd: the file
 * system cannot be mapped)
 */
int sb_mount_clone(int dirfd, const char *path, unsigned int attrs, int idmap_fd,
		   struct sb_err *err)
{
	struct mount_attr attr = { .attr_set = attrs };
	_cleanup_fd_ int fd = open_tree(dirfd, path,
					OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH |
						AT_SYMLINK_NOFOLLOW);

	if (fd < 0)
		return sb_err_set(err, errno, "bind '%s'", path);
	if (idmap_fd >= 0) {
		attr.attr_set |= MOUNT_ATTR_IDMAP;
		attr.userns_fd = (unsigned int)idmap_fd;
	}
	if (!attr.attr_set || mount_setattr(fd, "", AT_EMPTY_PATH, &attr, sizeof(attr)) == 0)
		return sb_steal_fd(&fd);
	sb_err_set(err, errno, "set attributes of the mount of '%s'", path);
	if (err->code == ENOSYS)
		sb_err_hint(err, "Linux 5.19 or newer is needed");
	return -err->code;
}

/**
 * sb_mount_attach() - Put a detached mount where it belongs
 * @mount_fd:	the mount; borrowed, stays usable as a directory descriptor
 * @dirfd:	directory, or the mount point itself with an empty @path
 * @path:	path below it; a symbolic link as last component is not followed
 *
 * move_mount(2): Linux 5.2.
 *
 * Return: 0, or a negative errno value
 */
int sb_mount_attach(int mount_fd, int dirfd, const char *path, struct sb_err *err)
{
	unsigned int flags = MOVE_MOUNT_F_EMPTY_PATH | (*path ? 0 : MOVE_MOUNT_T_EMPTY_PATH);

	if (move_mount(mount_fd, "", dirfd, path, flags) < 0)
		return sb_err_set(err, errno, "attach a mount to '%s'", path);
	return 0;
}
