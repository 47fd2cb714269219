/* SPDX-License-Identifier: Apache-2.0 */
/* cgroup.c - the control groups of one container: tracking and killing, in cgroup2 */
#include "runtime/container/cgroup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <linux/magic.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/path.h"
#include "runtime/container/cgroup_limits.h"

#define MOUNT_V2      "/sys/fs/cgroup"         /* Linux Documentation/admin-guide/cgroup-v2.rst */
#define MOUNT_HYBRID  "/sys/fs/cgroup/unified" /* systemd, docs/CGROUP_DELEGATION.md */
#define DEATH_WAIT_MS 5000 /* a killed process in the kernel may take its time */

static const struct sb_cgroup_backend *backend(enum sb_cgroup_layout layout)
{
	return layout == SB_CGROUP_V2 ? &sb_cgroup_v2 : &sb_cgroup_v1;
}

static const char *mount_point(enum sb_cgroup_layout layout)
{
	return layout == SB_CGROUP_V2 ? MOUNT_V2 : MOUNT_HYBRID;
}

static bool is_cgroup2(const char *path)
{
	struct statfs fs;

	return statfs(path, &fs) == 0 && fs.f_type == CGROUP2_SUPER_MAGIC;
}

/**
 * sb_cgroup_layout() - Find out how this host has its hierarchies
 * @ret:	the layout
 *
 * Return: 0, or -EOPNOTSUPP without any cgroup2, which tracking and killing need
 */
int sb_cgroup_layout(enum sb_cgroup_layout *ret, struct sb_err *err)
{
	if (is_cgroup2(MOUNT_V2)) {
		*ret = SB_CGROUP_V2;
	} else if (is_cgroup2(MOUNT_HYBRID)) {
		*ret = SB_CGROUP_HYBRID;
	} else {
		sb_err_refuse(err, EOPNOTSUPP, "no cgroup2 hierarchy at %s or %s", MOUNT_V2,
			      MOUNT_HYBRID);
		return sb_err_hint(err, "mount one: mkdir -p %s && mount -t cgroup2 cgroup2 %s",
				   MOUNT_HYBRID, MOUNT_HYBRID);
	}
	return 0;
}

/* Path of a container's group in cgroup2, or of the parent itself (@name is NULL). */
static int find_group(const char *parent, const char *name, char path[PATH_MAX],
		      enum sb_cgroup_layout *ret)
{
	struct sb_err err = SB_ERR_INIT;

	if (sb_cgroup_layout(ret, &err) < 0)
		return -err.code;
	snprintf(path, PATH_MAX, "%s/%s%s%s", mount_point(*ret), parent, name ? "/" : "",
		 name ? name : "");
	return 0;
}

/* Open <mount>/<parent>, made if it is missing. */
static int open_parent(enum sb_cgroup_layout layout, const char *parent, struct sb_err *err)
{
	_cleanup_fd_ int mnt = sb_open_dir_at(AT_FDCWD, mount_point(layout), err);

	return mnt < 0 ? mnt : sb_ensure_dir_at(mnt, parent, 0755, err);
}

/**
 * sb_cgroup_create() - Make a container's groups and set its limits
 * @parent:	path below the root of every hierarchy, without a leading slash: "sbrun"
 * @name:	the container's name in it
 * @limits:	borrowed
 * @ret:	open descriptors; released with sb_cgroup_close(), which leaves the groups
 *
 * Needs write access to the hierarchies. Leaves nothing behind on failure but @parent.
 *
 * Return: 0, or a negative errno value (-EEXIST: @name is taken)
 */
int sb_cgroup_create(const char *parent, const char *name, const struct sb_cgroup_limits *limits,
		     struct sb_cgroup *ret, struct sb_err *err)
{
	struct sb_cgroup cg = SB_CGROUP_INIT;
	_cleanup_fd_ int parent_fd = -1;

	if (sb_cgroup_layout(&cg.layout, err) < 0)
		return -err->code;
	parent_fd = open_parent(cg.layout, parent, err);
	if (parent_fd < 0)
		return -err->code;
	if (mkdirat(parent_fd, name, 0755) < 0)
		return sb_err_set(err, errno, "make cgroup '%s/%s'", parent, name);
	cg.track_fd = sb_open_dir_at(parent_fd, name, err);
	if (cg.track_fd >= 0)
		cg.kill_fd = openat(cg.track_fd, "cgroup.kill", O_WRONLY | O_CLOEXEC);
	if (cg.track_fd >= 0 && cg.kill_fd < 0) {
		sb_err_set(err, errno, "open 'cgroup.kill'");
		sb_err_hint(err, "Linux 5.14 or newer is needed");
	}
	if (cg.kill_fd < 0 || backend(cg.layout)->up(parent, name, limits, &cg, err) < 0) {
		sb_cgroup_close(&cg);
		(void)sb_cgroup_destroy(parent, name);
		return -err->code;
	}
	*ret = cg;
	return 0;
}

/**
 * sb_cgroup_open() - Open the tracking group of a container that somebody else supervises
 * @parent:	as for sb_cgroup_create()
 * @name:	likewise
 *
 * Return: a directory descriptor, or a negative errno value
 */
int sb_cgroup_open(const char *parent, const char *name)
{
	enum sb_cgroup_layout layout = SB_CGROUP_V2;
	char path[PATH_MAX];
	int ret = find_group(parent, name, path, &layout), fd;

	if (ret < 0)
		return ret;
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd >= 0 ? fd : -errno;
}

/**
 * sb_cgroup_close() - Close the descriptors; the groups stay
 * @cg:		groups, also half-open
 */
void sb_cgroup_close(struct sb_cgroup *cg)
{
	sb_close_fd(&cg->track_fd);
	sb_close_fd(&cg->kill_fd);
	for (int i = 0; i < SB_CGROUP_CONTROLLERS; i++) {
		sb_close_fd(&cg->limit_fds[i]);
		sb_close_fd(&cg->tasks_fds[i]);
	}
}

/* Wait until no process is left below @dirfd; cgroup.events signals a change with POLLPRI. */
static void wait_until_empty(int dirfd)
{
	_cleanup_fd_ int fd = openat(dirfd, "cgroup.events", O_RDONLY | O_CLOEXEC);
	struct pollfd p = { .fd = fd, .events = POLLPRI };

	while (fd >= 0 && sb_cgroup_is_populated(dirfd))
		if (poll(&p, 1, DEATH_WAIT_MS) == 0)
			return;
}

/* Remove the empty groups below @dirfd (one level: leaves have no children); how many are left. */
static size_t remove_leaves(int dirfd)
{
	_cleanup_dir_ DIR *dir = sb_opendir_at(dirfd, ".");
	struct dirent *e;
	size_t left = 0;

	while (dir && (e = readdir(dir)))
		if (e->d_type == DT_DIR && e->d_name[0] != '.' &&
		    unlinkat(dirfd, e->d_name, AT_REMOVEDIR) < 0)
			left++;
	return left;
}

/**
 * sb_cgroup_destroy() - Kill everything in a container's groups and remove them
 * @parent:	as for sb_cgroup_create()
 * @name:	likewise
 *
 * Needs no open struct sb_cgroup: also right for what another process left behind.
 *
 * Return: 0 (also if nothing was there), or a negative errno value (-EBUSY: a process does not die)
 */
int sb_cgroup_destroy(const char *parent, const char *name)
{
	enum sb_cgroup_layout layout = SB_CGROUP_V2;
	char path[PATH_MAX];
	int ret = find_group(parent, name, path, &layout), fd, limits;

	if (ret < 0)
		return ret;
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd >= 0) {
		if (sb_cgroup_is_populated(fd)) {
			(void)sb_cgroup_kill(fd);
			wait_until_empty(fd);
		}
		(void)remove_leaves(fd);
		(void)close(fd);
		if (rmdir(path) < 0 && errno != ENOENT)
			ret = -errno;
	}
	limits = backend(layout)->down(parent, name);
	return ret < 0 ? ret : limits;
}

/**
 * sb_cgroup_for_each() - Visit every container below a parent
 * @parent:	as for sb_cgroup_create()
 * @fn:		called with each name; stops the walk by returning non-zero
 * @arg:	handed to @fn
 *
 * Return: 0, what @fn returned, or a negative errno value
 */
int sb_cgroup_for_each(const char *parent, int (*fn)(const char *name, void *arg), void *arg)
{
	_cleanup_dir_ DIR *dir = NULL;
	enum sb_cgroup_layout layout = SB_CGROUP_V2;
	char path[PATH_MAX];
	struct dirent *e;
	int ret = find_group(parent, NULL, path, &layout);

	if (ret < 0)
		return ret;
	dir = opendir(path);
	if (!dir)
		return errno == ENOENT ? 0 : -errno;
	while (ret == 0 && (e = readdir(dir)))
		if (e->d_type == DT_DIR && e->d_name[0] != '.')
			ret = fn(e->d_name, arg);
	return ret;
}

/**
 * sb_cgroup_remove_parent() - Remove the parent group from every hierarchy if it is empty
 * @parent:	as for sb_cgroup_create()
 */
void sb_cgroup_remove_parent(const char *parent)
{
	enum sb_cgroup_layout layout = SB_CGROUP_V2;
	char path[PATH_MAX];

	if (find_group(parent, NULL, path, &layout) < 0)
		return;
	if (rmdir(path) == 0 || errno == ENOENT)
		(void)backend(layout)->down(parent, ".");
}

/**
 * sb_cgroup_leaf_create() - Make the group of one process tree
 * @cg:		the container's groups
 * @leaf:	name of the leaf
 *
 * Return: directory descriptor for CLONE_INTO_CGROUP and sb_cgroup_kill(), or a negative errno
 * value
 */
int sb_cgroup_leaf_create(const struct sb_cgroup *cg, const char *leaf, struct sb_err *err)
{
	if (mkdirat(cg->track_fd, leaf, 0755) < 0)
		return sb_err_set(err, errno, "make cgroup leaf '%s'", leaf);
	return sb_open_dir_at(cg->track_fd, leaf, err);
}

/**
 * sb_cgroup_leaf_remove() - Remove a leaf
 * @cg:		the container's groups
 * @leaf:	name of the leaf
 *
 * Return: 0, or a negative errno value (-EBUSY: processes are left in it)
 */
int sb_cgroup_leaf_remove(const struct sb_cgroup *cg, const char *leaf)
{
	return unlinkat(cg->track_fd, leaf, AT_REMOVEDIR) < 0 ? -errno : 0;
}

/**
 * sb_cgroup_prune() - Remove all leaves without processes
 * @cg:		the container's groups
 *
 * Return: how many leaves are left
 */
size_t sb_cgroup_prune(const struct sb_cgroup *cg)
{
	return remove_leaves(cg->track_fd);
}

/**
 * sb_cgroup_join() - Let the calling process be limited
 * @cg:		groups, inherited over clone(2)
 *
 * The caller is a fresh, single-threaded child; on cgroup2 CLONE_INTO_CGROUP has done it already.
 *
 * Return: 0, or a negative errno value
 */
int sb_cgroup_join(const struct sb_cgroup *cg, struct sb_err *err)
{
	return backend(cg->layout)->join(cg, err);
}

/**
 * sb_cgroup_kill() - Send SIGKILL to every process of a group and its leaves, atomically
 * @dirfd:	cgroup2 directory
 *
 * cgroup.kill: Linux 5.14. Returns before they are dead.
 *
 * Return: 0, or a negative errno value
 */
int sb_cgroup_kill(int dirfd)
{
	struct sb_err err = SB_ERR_INIT;

	return sb_put_at(dirfd, "cgroup.kill", "1", &err);
}

/**
 * sb_cgroup_kill_all() - Send SIGKILL to every process of a container
 * @cg:		its groups
 *
 * Needs no new descriptor: it works when there are none left.
 *
 * Return: 0, or a negative errno value
 */
int sb_cgroup_kill_all(const struct sb_cgroup *cg)
{
	return write(cg->kill_fd, "1", 1) < 0 ? -errno : 0;
}

/**
 * sb_cgroup_is_populated() - Whether a living process is in a group or its leaves
 * @dirfd:	cgroup2 directory
 *
 * Return: true if so
 */
bool sb_cgroup_is_populated(int dirfd)
{
	char buf[128];

	return sb_read_small_at(dirfd, "cgroup.events", buf, sizeof(buf)) > 0 &&
	       strstr(buf, "populated 1");
}

/**
 * sb_cgroup_oom_kills() - How many processes the kernel killed for the memory limit
 * @cg:		the container's groups
 *
 * Return: count since creation, or -1 if the kernel does not tell
 */
int64_t sb_cgroup_oom_kills(const struct sb_cgroup *cg)
{
	return backend(cg->layout)->oom_kills(cg);
}

/* ---- for the back ends ----------------------------------------------------------------------- */

/**
 * sb_cgroup_put() - Write a limit
 * @dirfd:	directory of the group
 * @file:	name of the file
 * @value:	value; 0 leaves what is there, no limit
 *
 * Return: 0, or a negative errno value
 */
int sb_cgroup_put(int dirfd, const char *file, uint64_t value, struct sb_err *err)
{
	char text[32];

	if (value == 0)
		return 0;
	snprintf(text, sizeof(text), "%" PRIu64, value);
	return sb_put_at(dirfd, file, text, err);
}

/**
 * sb_cgroup_count_oom_kills() - Find "oom_kill" in a file of counters
 * @dirfd:	directory of the group that has the memory controller
 * @file:	memory.events (cgroup2), memory.oom_control (v1, Linux 4.13)
 *
 * Return: the count, or -1 if it does not tell
 */
int64_t sb_cgroup_count_oom_kills(int dirfd, const char *file)
{
	char buf[256];
	const char *p;

	if (sb_read_small_at(dirfd, file, buf, sizeof(buf)) < 0)
		return -1;
	p = strstr(buf, "oom_kill ");
	return p ? strtoll(p + strlen("oom_kill "), NULL, 10) : -1;
}
