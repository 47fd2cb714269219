/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rootfs.c - what a container sees as its file system
 *
 * DOC: Theory of operation
 *
 * sb_rootfs_open() runs before the container exists and turns directories into detached mounts: a
 * descriptor of the host's mount namespace could not be mounted in another one. Each layer becomes
 * read-only and gets the container's id map, so that files owned by root in the image belong to the
 * container's root, without a chown on disk. A layer whose root is opaque hides all below it, which
 * are then left out: overlayfs merges the roots of layers whatever their marks.
 *
 * sb_rootfs_enter() runs in the container's future process 1, which has its own mount namespace but
 * is still privileged on the host. In this order:
 *  1. everything becomes private: nothing we mount reaches the host;
 *  2. a tmpfs covers the scratch directory and holds the mount points that building needs;
 *  3. our files in /etc are put into the writable directory, and overlayfs joins that and the
 *     layers. It is mounted by the host's root: whiteouts and trusted.overlay.* attributes work,
 *     and the container can neither see nor set them;
 *  4. /proc, /sys, /dev and the masks (rootfs_mounts.c);
 *  5. pivot_root(2) and the host's tree is detached.
 *
 * The mount namespace belongs to the host's user namespace: not even all capabilities inside the
 * container allow a mount or an unmount there.
 *
 * Should: run before the container's user namespace is entered.
 * Mustn't: follow a path of the image except through runtime/base/path.h.
 */
#include "runtime/container/rootfs.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/path.h"
#include "runtime/base/sys.h"
#include "runtime/container/mount.h"

static int damaged(const char *layer, struct sb_err *err)
{
	sb_err_set(err, errno, "open layer '%s'", layer);
	return sb_err_hint(err, "the image is damaged: load it again");
}

/* Make the writable directories; they are removed with @rw_fd's own. */
static int make_writable(const struct sb_rootfs *fs, struct sb_err *err)
{
	const char *top = fs->layers[fs->n_layers - 1];
	struct stat st;

	/* The upper directory is the container's root directory: it takes over the mode of the
	 * topmost layer's. */
	if (fstatat(fs->layers_fd, top, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return damaged(top, err);
	if (mkdirat(fs->rw_fd, "upper", 0700) < 0 || mkdirat(fs->rw_fd, "work", 0700) < 0)
		return sb_err_set(err, errno, "make the writable layer");
	if (fchownat(fs->rw_fd, "upper", fs->id_base, fs->id_base, AT_SYMLINK_NOFOLLOW) < 0 ||
	    fchmodat(fs->rw_fd, "upper", st.st_mode & 07777, 0) < 0)
		return sb_err_set(err, errno, "give the writable layer to the container");
	return 0;
}

/* Make the detached mount of one layer, with the container's id map. */
static int open_layer(const struct sb_rootfs *fs, const char *layer, bool *ret_is_opaque,
		      struct sb_err *err)
{
	_cleanup_fd_ int dirfd =
		openat(fs->layers_fd, layer, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	char mark = '\0';
	int fd;

	if (dirfd < 0)
		return damaged(layer, err);
	/* Documentation/filesystems/overlayfs.rst, "whiteouts and opaque directories" */
	if (fgetxattr(dirfd, "trusted.overlay.opaque", &mark, 1) < 0 && errno != ENODATA &&
	    errno != ENOTSUP)
		return sb_err_set(err, errno, "read the mark of layer '%s'", layer);
	*ret_is_opaque = mark == 'y';
	fd = sb_mount_clone(dirfd, "", MOUNT_ATTR_RDONLY | MOUNT_ATTR_NODEV, fs->userns_fd, err);
	if (fd == -EINVAL) /* mount_setattr(2), "ID-mapped mounts" */
		sb_err_hint(err, "the store's file system cannot map ids: ext4, xfs and btrfs can, "
				 "tmpfs since Linux 6.3");
	return fd;
}

/**
 * sb_rootfs_open() - Turn the parts of a root file system into detached mounts
 * @fs:		its parts; "upper" and "work" are made in its @rw_fd
 * @ret:	the mounts; released with sb_rootfs_close()
 *
 * Needs CAP_SYS_ADMIN and CAP_CHOWN of the host.
 *
 * Return: 0, or a negative errno value
 */
int sb_rootfs_open(const struct sb_rootfs *fs, struct sb_rootfs_mounts *ret, struct sb_err *err)
{
	struct sb_rootfs_mounts m = { .rw = -1 };
	size_t left = fs->n_layers;

	if (fs->n_layers < 1 || fs->n_layers > SB_LAYERS_MAX)
		return sb_err_set(err, E2BIG, "mount %zu layers", fs->n_layers);
	if (make_writable(fs, err) < 0)
		return -err->code;
	m.rw = sb_mount_clone(fs->rw_fd, "", MOUNT_ATTR_NODEV, -1, err);
	while (m.rw >= 0 && left > 0) {
		bool is_opaque = false;
		int fd = open_layer(fs, fs->layers[left - 1], &is_opaque, err);

		if (fd < 0)
			break;
		m.layers[m.n_layers++] = fd;
		left = is_opaque ? 0 : left - 1;
	}
	if (m.rw < 0 || left > 0) {
		sb_rootfs_close(&m);
		return -err->code;
	}
	*ret = m;
	return 0;
}

/**
 * sb_rootfs_close() - Close the mounts; those that were attached stay
 * @m:		mounts
 */
void sb_rootfs_close(struct sb_rootfs_mounts *m)
{
	sb_close_fd(&m->rw);
	while (m->n_layers > 0)
		sb_close_fd(&m->layers[--m->n_layers]);
}

static int attach(int mount_fd, const char *name, struct sb_err *err)
{
	if (mkdir(name, 0700) < 0)
		return sb_err_set(err, errno, "make the mount point '%s'", name);
	return sb_mount_attach(mount_fd, AT_FDCWD, name, err);
}

/* Put a file of ours into the container's /etc, whatever the image has there. */
static int put_etc(const struct sb_rootfs *fs, int etc, const char *name, const char *text,
		   struct sb_err *err)
{
	_cleanup_fd_ int fd = -1;
	int ret;

	if (unlinkat(etc, name, 0) < 0 && errno != ENOENT)
		return sb_err_set(err, errno, "replace '/etc/%s'", name);
	fd = openat(etc, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
	if (fd < 0)
		return sb_err_set(err, errno, "create '/etc/%s'", name);
	if (fchown(fd, fs->id_base, fs->id_base) < 0)
		return sb_err_set(err, errno, "give '/etc/%s' to the container", name);
	ret = sb_write_all(fd, text, strlen(text));
	return ret < 0 ? sb_err_set(err, -ret, "write '/etc/%s'", name) : 0;
}

static int put_files(const struct sb_rootfs *fs, int etc, struct sb_err *err)
{
	if (put_etc(fs, etc, "hostname", fs->hostname, err) < 0 ||
	    put_etc(fs, etc, "hosts", fs->hosts, err) < 0 ||
	    put_etc(fs, etc, "resolv.conf", fs->resolv, err) < 0)
		return -err->code;
	return 0;
}

/*
 * Put our files into the writable layer before it is one: through the overlay that would be a copy
 * of /etc, and whiteouts where the image has files by these names. Ours gets owner and mode of the
 * image's /etc.
 * Return: 1, 0 if that is a link, which a directory above it would hide with all behind it, or < 0
 */
static int make_etc(const struct sb_rootfs *fs, const struct sb_rootfs_mounts *m,
		    struct sb_err *err)
{
	struct stat st = { .st_mode = 0 };
	_cleanup_fd_ int etc = -1;

	for (size_t i = 0; i < m->n_layers; i++)
		if (fstatat(m->layers[i], "etc", &st, AT_SYMLINK_NOFOLLOW) == 0)
			break;
	if (S_ISLNK(st.st_mode))
		return 0;
	if (!S_ISDIR(st.st_mode)) /* none, or a whiteout */
		st = (struct stat){ .st_mode = 0755, .st_uid = fs->id_base, .st_gid = fs->id_base };
	if (mkdirat(m->rw, "upper/etc", 0700) < 0 ||
	    fchownat(m->rw, "upper/etc", st.st_uid, st.st_gid, AT_SYMLINK_NOFOLLOW) < 0 ||
	    fchmodat(m->rw, "upper/etc", st.st_mode & 07777, 0) < 0)
		return sb_err_set(err, errno, "make '/etc'");
	etc = sb_open_dir_at(m->rw, "upper/etc", err);
	return etc < 0 || put_files(fs, etc, err) < 0 ? -err->code : 1;
}

/*
 * Mount the overlay on "root" in the current directory. mount(2) and not fsconfig(2): the latter
 * takes 256 bytes an option, and "lowerdir+" came with Linux 6.5 only. All paths are relative, so
 * that none of the host shows up in the container's mount table.
 */
static int mount_overlay(const struct sb_rootfs_mounts *m, struct sb_err *err)
{
	char data[4096], name[24]; /* one page: mount(2) */
	size_t n = (size_t)snprintf(data, sizeof(data),
				    "volatile,upperdir=rw/upper,workdir=rw/work,lowerdir=");

	if (attach(m->rw, "rw", err) < 0)
		return -err->code;
	for (size_t i = 0; i < m->n_layers; i++) {
		snprintf(name, sizeof(name), "%zu", i);
		if (attach(m->layers[i], name, err) < 0)
			return -err->code;
		n += (size_t)snprintf(data + n, sizeof(data) - n, "%s%zu", i ? ":" : "", i);
	}
	if (mkdir("root", 0700) < 0)
		return sb_err_set(err, errno, "make the mount point of the root file system");
	/* "volatile" (Linux 5.10): a sandbox does not outlive a crash of the host; no syncing. */
	if (mount("overlay", "root", "overlay", MS_NODEV, data) < 0) {
		sb_err_set(err, errno, "mount the overlay of %zu layers", m->n_layers);
		return sb_err_hint(err, "is this Linux 5.19 or newer, and can overlayfs use the "
					"store's file system?");
	}
	return 0;
}

static int put_files_behind_link(const struct sb_rootfs *fs, int rootfd, struct sb_err *err)
{
	_cleanup_fd_ int etc = sb_mkdir_in_root(rootfd, "etc", 0755, fs->id_base, fs->id_base, err);

	return etc < 0 ? -err->code : put_files(fs, etc, err);
}

static int make_cwd(const struct sb_rootfs *fs, int rootfd, struct sb_err *err)
{
	_cleanup_fd_ int cwd = -1;

	if (fs->cwd)
		cwd = sb_mkdir_in_root(rootfd, fs->cwd, 0755, fs->id_base, fs->id_base, err);
	return fs->cwd && cwd < 0 ? -err->code : 0;
}

/**
 * sb_rootfs_enter() - Build the root file system and make it the caller's
 * @fs:		its parts
 * @m:		what sb_rootfs_open() made of them
 *
 * Needs CAP_SYS_ADMIN and CAP_CHOWN of the host, and a mount namespace of its own, which is left
 * half-built on failure: the caller must exit then. The umask is 022 afterwards.
 *
 * Return: 0, or a negative errno value
 */
int sb_rootfs_enter(const struct sb_rootfs *fs, const struct sb_rootfs_mounts *m,
		    struct sb_err *err)
{
	_cleanup_fd_ int rootfd = -1;
	int has_etc;

	umask(0);
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return sb_err_set(err, errno, "make all mounts private");
	if (mount("tmpfs", fs->scratch, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=700") <
		    0 ||
	    chdir(fs->scratch) < 0)
		return sb_err_set(err, errno, "mount on '%s'", fs->scratch);
	has_etc = make_etc(fs, m, err);
	if (has_etc < 0 || mount_overlay(m, err) < 0)
		return -err->code;
	rootfd = sb_open_dir_at(AT_FDCWD, "root", err);
	if (rootfd < 0 || sb_rootfs_mount_system(rootfd, fs->id_base, err) < 0 ||
	    (!has_etc && put_files_behind_link(fs, rootfd, err) < 0) ||
	    make_cwd(fs, rootfd, err) < 0)
		return -err->code;
	/* Both trees on one mount point, the old one on top: pivot_root(2), "pivot_root(".", ".")".
	 */
	if (fchdir(rootfd) < 0 || sb_pivot_root(".", ".") < 0 || umount2(".", MNT_DETACH) < 0 ||
	    chdir("/") < 0)
		return sb_err_set(err, errno, "change the root directory");
	umask(022);
	return 0;
}
