/* SPDX-License-Identifier: Apache-2.0 */
/* path.c - the only way to a path below a directory that somebody else fills */
#include "runtime/base/path.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <linux/openat2.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/err.h"
#include "runtime/base/sys.h"

#define OPEN_TRIES \
	64 /* openat2(2) gives EAGAIN when a rename races with ".."; it is to be retried */

/**
 * sb_open_in_root() - Open a path as a process chrooted to @rootfd would
 * @rootfd:	root directory (O_PATH is enough); borrowed
 * @path:	absolute or relative, both meant from @rootfd
 * @flags:	open(2) flags; O_CLOEXEC, O_NOCTTY are added, and O_NONBLOCK so that a FIFO cannot
 *		hang us
 * @mode:	permission bits with O_CREAT, else 0
 *
 * Magic links (/proc/<pid>/fd/…) are refused: they would leave the root.
 *
 * Return: a descriptor, or a negative errno value
 */
int sb_open_in_root(int rootfd, const char *path, int flags, mode_t mode)
{
	struct open_how how = {
		.flags = (uint64_t)(flags | O_CLOEXEC),
		.mode = mode,
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
	};
	int fd = -1;

	if (!(flags & O_PATH))
		how.flags |= O_NOCTTY | O_NONBLOCK;
	for (int i = 0; i < OPEN_TRIES; i++) {
		fd = sb_openat2(rootfd, path, &how);
		if (fd >= 0 || errno != EAGAIN)
			break;
	}
	return fd >= 0 ? fd : -errno;
}

/* Name the next component of *@path in @name and step over it; 0 at the end, < 0 if too long. */
static int next_component(const char **path, char name[NAME_MAX + 1])
{
	const char *p = *path + strspn(*path, "/");
	size_t len = strcspn(p, "/");

	if (len > NAME_MAX)
		return -ENAMETOOLONG;
	memcpy(name, p, len);
	name[len] = '\0';
	*path = p + len;
	return (int)len;
}

/**
 * sb_mkdir_in_root() - Make a directory and those above it, like mkdir -p in a chroot
 * @rootfd:	root directory; borrowed
 * @path:	path from there
 * @mode:	permission bits of those that are new
 * @uid:	owner of those that are new
 * @gid:	group of those that are new
 *
 * Existing components may be links to directories inside the root. Needs CAP_CHOWN unless @uid and
 * @gid are the caller's. Directories made before a failure stay.
 *
 * Return: an O_PATH descriptor of the directory, or a negative errno value (-ENOTDIR, -ELOOP)
 */
int sb_mkdir_in_root(int rootfd, const char *path, mode_t mode, uid_t uid, gid_t gid,
		     struct sb_err *err)
{
	char so_far[PATH_MAX] = ".";
	size_t used = 1;
	_cleanup_fd_ int dir = sb_open_in_root(rootfd, ".", O_PATH | O_DIRECTORY, 0);
	const char *rest = path;
	char name[NAME_MAX + 1];
	int len;

	while (dir >= 0 && (len = next_component(&rest, name)) > 0) {
		int next;

		if (used + (size_t)len + 2 > sizeof(so_far))
			return sb_err_set(err, ENAMETOOLONG, "make directory '%s'", path);
		used += (size_t)snprintf(so_far + used, sizeof(so_far) - used, "/%s", name);
		next = sb_open_in_root(rootfd, so_far, O_PATH | O_DIRECTORY, 0);
		if (next == -ENOENT && mkdirat(dir, name, mode) == 0) {
			/* Ours as of now: opened without following, so nobody can swap in a link.
			 */
			next = openat(dir, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
			if (next < 0 || fchownat(next, "", uid, gid, AT_EMPTY_PATH) < 0)
				next = -errno;
		} else if (next == -ENOENT) {
			next = -errno;
		}
		(void)close(dir);
		dir = next;
	}
	if (dir < 0 || len < 0)
		return sb_err_set(err, dir < 0 ? -dir : -len, "make directory '%s'", path);
	return sb_steal_fd(&dir);
}

/**
 * sb_open_parent_in_root() - Open the directory that holds a path's last component
 * @rootfd:	root directory; borrowed
 * @path:	path from there; must name something below the root
 * @ret_name:	last component, room for NAME_MAX + 1 bytes
 *
 * The way to create, replace or remove an entry: the caller uses @ret_name with the descriptor and
 * never follows it.
 *
 * Return: an O_PATH descriptor, or a negative errno value
 */
int sb_open_parent_in_root(int rootfd, const char *path, char *ret_name, struct sb_err *err)
{
	char dir[PATH_MAX];
	size_t len = strlen(path);
	size_t start;
	int fd;

	while (len > 0 && path[len - 1] == '/')
		len--;
	for (start = len; start > 0 && path[start - 1] != '/'; start--)
		;
	if (len >= sizeof(dir) || len - start > NAME_MAX)
		return sb_err_set(err, ENAMETOOLONG, "open '%s'", path);
	snprintf(ret_name, NAME_MAX + 1, "%.*s", (int)(len - start), path + start);
	if (!ret_name[0] || !strcmp(ret_name, ".") || !strcmp(ret_name, ".."))
		return sb_err_refuse(err, EINVAL, "'%s' does not name a file", path);
	snprintf(dir, sizeof(dir), "./%.*s", (int)start, path);
	fd = sb_open_in_root(rootfd, dir, O_PATH | O_DIRECTORY, 0);
	return fd >= 0 ? fd : sb_err_set(err, -fd, "open '%s'", path);
}

/**
 * sb_open_dir_at() - Open one of our own directories
 * @dirfd:	directory, or AT_FDCWD
 * @path:	path below it
 *
 * Return: a descriptor, or a negative errno value
 */
int sb_open_dir_at(int dirfd, const char *path, struct sb_err *err)
{
	int fd = openat(dirfd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd >= 0 ? fd : sb_err_set(err, errno, "open '%s'", path);
}

/**
 * sb_opendir_at() - Open a directory to list it
 * @dirfd:	directory, or AT_FDCWD; -1 finds nothing
 * @path:	path below it; "." lists @dirfd itself, whose own position stays
 *
 * Return: a stream that the caller closes with closedir(3), or NULL with errno set
 */
DIR *sb_opendir_at(int dirfd, const char *path)
{
	_cleanup_fd_ int fd = openat(dirfd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);

	if (dir)
		(void)sb_steal_fd(&fd); /* it is the stream's now */
	return dir;
}

/**
 * sb_ensure_dir_at() - Open one of our own directories, made if it is missing
 * @dirfd:	directory, or AT_FDCWD
 * @path:	path below it; parents are made as well
 * @mode:	permission bits of what is new
 *
 * Return: a descriptor, or a negative errno value
 */
int sb_ensure_dir_at(int dirfd, const char *path, mode_t mode, struct sb_err *err)
{
	char part[PATH_MAX];
	int fd = openat(dirfd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd >= 0)
		return fd;
	if (strlen(path) >= sizeof(part))
		return sb_err_set(err, ENAMETOOLONG, "make '%s'", path);
	for (const char *p = path; *p;) {
		p += strspn(p, "/");
		p += strcspn(p, "/");
		snprintf(part, sizeof(part), "%.*s", (int)(p - path), path);
		if (mkdirat(dirfd, part, mode) < 0 && errno != EEXIST)
			return sb_err_set(err, errno, "make directory '%s'", part);
	}
	return sb_open_dir_at(dirfd, path, err);
}

/*
 * Directories nest without end (mkdir, chdir, again), our descriptors do not: what lies deeper than
 * this is moved up first.
 */
#define REMOVE_DEPTH 64

/**
 * struct removal - one run of sb_remove_tree_at()
 * @top:	the directory that goes; borrowed
 * @moved:	how many directories were moved up into it
 */
struct removal {
	int top;
	unsigned int moved;
};

/* Move the directory @name of @dirfd up into the top, under a name that is free there. */
static int move_up(struct removal *r, int dirfd, const char *name)
{
	char to[32];

	do {
		snprintf(to, sizeof(to), "moved-%u", r->moved++);
		if (renameat2(dirfd, name, r->top, to, RENAME_NOREPLACE) == 0)
			return 0;
	} while (errno == EEXIST);
	return -errno;
}

/* Empty the directory @fd (taken over), @depth levels above the limit; < 0 if something stayed. */
static int empty_dir(struct removal *r, int fd, int depth)
{
	_cleanup_dir_ DIR *dir = fdopendir(fd);
	struct dirent *e;
	int ret = 0;

	if (!dir) {
		ret = -errno;
		(void)close(fd);
		return ret;
	}
	while ((e = readdir(dir))) {
		int sub, failed = 0;

		if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, ".."))
			continue;
		if (unlinkat(dirfd(dir), e->d_name, 0) == 0 || errno == ENOENT)
			continue;
		if (errno != EISDIR && errno != EPERM) {
			ret = -errno;
			continue;
		}
		sub = openat(dirfd(dir), e->d_name,
			     O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (sub < 0) {
			ret = -errno;
			continue;
		}
		if (depth == 0) {
			(void)close(sub);
			failed = move_up(r, dirfd(dir), e->d_name);
		} else {
			failed = empty_dir(r, sub, depth - 1);
			if (unlinkat(dirfd(dir), e->d_name, AT_REMOVEDIR) < 0 && failed == 0)
				failed = -errno;
		}
		if (failed < 0)
			ret = failed;
	}
	return ret;
}

/**
 * sb_remove_tree_at() - Remove a file or a whole directory, never following a link
 * @dirfd:	directory
 * @name:	entry in it
 *
 * Return: 0 also if it was not there, or a negative errno value; the rest stays then
 */
int sb_remove_tree_at(int dirfd, const char *name)
{
	struct removal r = { .moved = 0 };
	_cleanup_fd_ int top = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	unsigned int before;
	int ret;

	if (top < 0 && (errno == ENOTDIR || errno == ELOOP))
		return unlinkat(dirfd, name, 0) < 0 ? -errno : 0;
	if (top < 0)
		return errno == ENOENT ? 0 : -errno;
	r.top = top;
	do {
		int again = openat(top, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

		before = r.moved;
		ret = again < 0 ? -errno : empty_dir(&r, again, REMOVE_DEPTH);
	} while (r.moved != before);
	if (unlinkat(dirfd, name, AT_REMOVEDIR) == 0 || errno == ENOENT)
		return 0;
	return ret < 0 ? ret : -errno;
}

/**
 * sb_name_is_valid() - Whether a word may name a sandbox
 * @name:	word given by the user
 *
 * Docker's rule, [a-zA-Z0-9][a-zA-Z0-9_.-]*, at most 63 bytes so that it is a host name label too.
 *
 * Return: true if it may
 */
bool sb_name_is_valid(const char *name)
{
	size_t len = strlen(name);

	if (len == 0 || len > 63 || !isalnum((unsigned char)name[0]))
		return false;
	for (; *name; name++)
		if (!isalnum((unsigned char)*name) && !strchr("_.-", *name))
			return false;
	return true;
}
