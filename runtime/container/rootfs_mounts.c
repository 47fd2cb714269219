/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rootfs_mounts.c - /proc, /sys and /dev of a container, and what it must not see in them
 *
 * Which mounts: OCI runtime-spec config-linux.md "Default Filesystems" and "Default Devices".
 * Which paths are masked: Docker's list (moby, daemon/pkg/oci/defaults.go), and those that it
 * leaves readable although they tell about the host: memory layout, kernel configuration, boot
 * parameters.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <linux/openat2.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/err.h"
#include "runtime/base/path.h"
#include "runtime/base/sys.h"
#include "runtime/container/mount.h"
#include "runtime/container/process.h"
#include "runtime/container/rootfs.h"

#define ATTR_QUIET (MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC)

static const char *const masked[] = {
	"proc/acpi",
	"proc/asound",
	"proc/cmdline",
	"proc/config.gz",
	"proc/interrupts",
	"proc/iomem",
	"proc/ioports",
	"proc/kallsyms",
	"proc/kcore",
	"proc/key-users",
	"proc/keys",
	"proc/latency_stats",
	"proc/pagetypeinfo",
	"proc/sched_debug",
	"proc/scsi",
	"proc/slabinfo",
	"proc/timer_list",
	"proc/timer_stats",
	"proc/vmallocinfo",
	"sys/devices/virtual/powercap",
	"sys/firmware",
	"sys/fs/selinux",
	"sys/kernel/btf",
	"sys/kernel/notes",
	"sys/kernel/vmcoreinfo",
};

static const char *const readonly[] = {
	"proc/bus", "proc/fs", "proc/irq", "proc/sys", "proc/sysrq-trigger",
};

static const struct {
	const char *name;
	unsigned int major, minor; /* Linux Documentation/admin-guide/devices.txt */
} devices[] = {
	{ "null", 1, 3 },   { "zero", 1, 5 },    { "full", 1, 7 },
	{ "random", 1, 8 }, { "urandom", 1, 9 }, { "tty", 5, 0 },
};

static const struct {
	const char *name, *target;
} links[] = {
	{ "fd", "/proc/self/fd" },       { "stdin", "/proc/self/fd/0" },
	{ "stdout", "/proc/self/fd/1" }, { "stderr", "/proc/self/fd/2" },
	{ "ptmx", "pts/ptmx" },
};

/* Open the mount point /@name: a real directory of the image, or a new one. */
static int open_mount_point(int rootfd, const char *name, uid_t owner, struct sb_err *err)
{
	struct open_how how = {
		.flags = O_PATH | O_DIRECTORY | O_CLOEXEC,
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV,
	};
	int fd = sb_openat2(rootfd, name, &how);

	if (fd < 0 && errno == ENOENT)
		return sb_mkdir_in_root(rootfd, name, 0755, owner, owner, err);
	if (fd < 0) {
		sb_err_set(err, errno, "open '/%s' of the image", name);
		return sb_err_hint(err, "it must be a directory, not a link");
	}
	return fd;
}

static int mount_at(int rootfd, const char *name, const char *fstype, unsigned int attrs,
		    uid_t owner, struct sb_err *err)
{
	_cleanup_fd_ int target = open_mount_point(rootfd, name, owner, err);
	_cleanup_fd_ int fd = target < 0 ? -1 : sb_mount_new(fstype, NULL, attrs, err);

	return fd < 0 || sb_mount_attach(fd, target, "", err) < 0 ? -err->code : 0;
}

/* Mount a file system on a directory that is made for it in our own /dev. */
static int mount_in_dev(int dev, const char *name, const char *fstype,
			const struct sb_mount_opt *opts, unsigned int attrs, struct sb_err *err)
{
	_cleanup_fd_ int fd = sb_mount_new(fstype, opts, attrs, err);

	if (fd < 0)
		return -err->code;
	if (mkdirat(dev, name, 0755) < 0)
		return sb_err_set(err, errno, "make '/dev/%s'", name);
	return sb_mount_attach(fd, dev, name, err);
}

/* Fill the fresh tmpfs @dev, in which nobody else can interfere yet. */
static int fill_dev(int dev, uid_t base, struct sb_err *err)
{
	char uid[16], tty[16];
	const struct sb_mount_opt pts[] = { { "newinstance", NULL }, { "ptmxmode", "0666" },
					    { "mode", "0620" },      { "gid", tty },
					    { "max", "256" },        { NULL, NULL } };
	const struct sb_mount_opt shm[] = { { "mode", "1777" },
					    { "size", "64m" },
					    { "uid", uid },
					    { "gid", uid },
					    { NULL, NULL } };

	snprintf(uid, sizeof(uid), "%u", base);
	snprintf(tty, sizeof(tty), "%u", base + SB_TTY_GID);
	for (size_t i = 0; i < SB_ARRAY_SIZE(devices); i++)
		if (mknodat(dev, devices[i].name, S_IFCHR | 0666,
			    makedev(devices[i].major, devices[i].minor)) < 0)
			return sb_err_set(err, errno, "make '/dev/%s'", devices[i].name);
	for (size_t i = 0; i < SB_ARRAY_SIZE(links); i++)
		if (symlinkat(links[i].target, dev, links[i].name) < 0)
			return sb_err_set(err, errno, "make '/dev/%s'", links[i].name);
	if (mount_in_dev(dev, "pts", "devpts", pts, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC, err) <
		    0 ||
	    mount_in_dev(dev, "shm", "tmpfs", shm, ATTR_QUIET, err) < 0 ||
	    mount_in_dev(dev, "mqueue", "mqueue", NULL, ATTR_QUIET, err) < 0)
		return -err->code;
	return 0;
}

/**
 * struct covers - what masked paths are covered with, made once
 * @dev:	/dev of the container; its "null" covers files
 * @dir:	an empty read-only tmpfs, for directories; -1 until the first one
 */
struct covers {
	int dev;
	int dir;
};

static int mask(int target, bool is_dir, struct covers *c, struct sb_err *err)
{
	const struct sb_mount_opt opts[] = { { "size", "0" }, { "mode", "555" }, { NULL, NULL } };
	_cleanup_fd_ int fd = -1;

	if (!is_dir)
		fd = sb_mount_clone(c->dev, "null", 0, -1, err);
	else if (c->dir >= 0)
		fd = sb_mount_clone(c->dir, "", 0, -1, err);
	else
		fd = sb_mount_new("tmpfs", opts, ATTR_QUIET | MOUNT_ATTR_RDONLY, err);
	if (fd < 0 || sb_mount_attach(fd, target, "", err) < 0)
		return -err->code;
	if (is_dir && c->dir < 0)
		c->dir = sb_steal_fd(&fd);
	return 0;
}

static int mask_all(int rootfd, struct covers *c, struct sb_err *err)
{
	for (size_t i = 0; i < SB_ARRAY_SIZE(masked); i++) {
		_cleanup_fd_ int target =
			sb_open_in_root(rootfd, masked[i], O_PATH | O_NOFOLLOW, 0);
		struct stat st;

		if (target == -ENOENT)
			continue; /* not built into this kernel */
		if (target < 0 || fstat(target, &st) < 0)
			return sb_err_set(err, target < 0 ? -target : errno, "open '/%s'",
					  masked[i]);
		if (mask(target, S_ISDIR(st.st_mode), c, err) < 0)
			return sb_err_prefix(err, "mask '/%s'", masked[i]);
	}
	for (size_t i = 0; i < SB_ARRAY_SIZE(readonly); i++) {
		_cleanup_fd_ int target =
			sb_open_in_root(rootfd, readonly[i], O_PATH | O_NOFOLLOW, 0);
		_cleanup_fd_ int fd = -1;

		if (target == -ENOENT)
			continue;
		if (target >= 0)
			fd = sb_mount_clone(target, "", ATTR_QUIET | MOUNT_ATTR_RDONLY, -1, err);
		else
			sb_err_set(err, -target, "open '/%s'", readonly[i]);
		if (fd < 0 || sb_mount_attach(fd, target, "", err) < 0)
			return sb_err_prefix(err, "make '/%s' read-only", readonly[i]);
	}
	return 0;
}

/**
 * sb_rootfs_mount_system() - Mount /proc, /sys and /dev, and cover what must not be seen
 * @rootfd:	root of the container's file system, mounted in the caller's private namespace
 * @id_base:	host id of the container's id 0
 *
 * Called inside the container's pid, network and IPC namespaces, which these file systems show.
 * Needs CAP_SYS_ADMIN and CAP_MKNOD of the host, and umask 0.
 *
 * Return: 0, or a negative errno value; the caller must exit then
 */
int sb_rootfs_mount_system(int rootfd, uid_t id_base, struct sb_err *err)
{
	_cleanup_fd_ int dev_point = -1, dev = -1, cover_dir = -1;
	struct covers c = { .dir = -1 };
	char uid[16];
	const struct sb_mount_opt opts[] = {
		{ "mode", "755" }, { "size", "64k" }, { "uid", uid }, { "gid", uid }, { NULL, NULL }
	};
	int ret;

	snprintf(uid, sizeof(uid), "%u", id_base);
	if (mount_at(rootfd, "proc", "proc", ATTR_QUIET, id_base, err) < 0 ||
	    mount_at(rootfd, "sys", "sysfs", ATTR_QUIET | MOUNT_ATTR_RDONLY, id_base, err) < 0)
		return -err->code;
	dev_point = open_mount_point(rootfd, "dev", id_base, err);
	if (dev_point < 0)
		return -err->code;
	dev = sb_mount_new("tmpfs", opts, MOUNT_ATTR_NOSUID, err);
	if (dev < 0 || sb_mount_attach(dev, dev_point, "", err) < 0 ||
	    fill_dev(dev, id_base, err) < 0)
		return -err->code;
	c.dev = dev;
	ret = mask_all(rootfd, &c, err);
	cover_dir = c.dir;
	return ret;
}
