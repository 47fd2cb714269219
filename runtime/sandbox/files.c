/* SPDX-License-Identifier: Apache-2.0 */
/*
 * files.c - a sandbox's files, from the host side
 *
 * No program runs in the sandbox for it, so it works in images without a shell. Paths are resolved
 * below the root of process 1 by runtime/base/path.h; a file is written beside its place and
 * renamed over it, so that readers see the old content or the new one.
 */
#include "runtime/sandbox/files.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <linux/magic.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/path.h"
#include "runtime/sandbox/record.h"

static int open_root(const struct sb_home *home, const struct sb_record *rec, struct sb_err *err)
{
	return sb_record_open_proc(home, rec, "root", O_PATH | O_DIRECTORY, err);
}

/**
 * sb_files_absolute() - The absolute form of a path that a user gives
 * @rec:	record of the sandbox
 * @path:	relative ones start at the sandbox's working directory, as for its sessions
 * @buf:	the absolute path
 * @size:	size of @buf
 *
 * Return: 0, or a negative errno value (-EINVAL: empty; -ENAMETOOLONG)
 */
int sb_files_absolute(const struct sb_record *rec, const char *path, char *buf, unsigned int size,
		      struct sb_err *err)
{
	const char *cwd = path[0] == '/' ? "" : rec->cwd;
	const char *slash = cwd[0] && cwd[strlen(cwd) - 1] != '/' ? "/" : "";

	if (!path[0])
		return sb_err_refuse(err, EINVAL, "the path is empty");
	if ((unsigned int)snprintf(buf, size, "%s%s%s", cwd, slash, path) >= size)
		return sb_err_set(err, ENAMETOOLONG, "path '%.60s…'", path);
	return 0;
}

/* Copy to the end, but not more than @max bytes. */
static int copy(int from, int to, uint64_t max, uint64_t *ret_bytes, struct sb_err *err)
{
	static char buf[256 << 10];

	*ret_bytes = 0;
	while (*ret_bytes < max) {
		uint64_t left = max - *ret_bytes;
		ssize_t n = read(from, buf, left < sizeof(buf) ? left : sizeof(buf));
		int ret;

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return sb_err_set(err, errno, "read");
		if (n == 0)
			return 0;
		ret = sb_write_all(to, buf, (size_t)n);
		if (ret < 0)
			return sb_err_set(err, -ret, "write");
		*ret_bytes += (uint64_t)n;
	}
	return 0;
}

/* What a new file gets: mode and owner of the one it replaces, else those of the sandbox's root. */
static int inherit(int dir, const char *name, const struct sb_record *rec, int fd,
		   struct sb_err *err)
{
	struct stat st;
	bool there = fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0;

	if (there && S_ISDIR(st.st_mode))
		return sb_err_set(err, EISDIR, "write '%s'", name);
	if (!there || !S_ISREG(st.st_mode)) {
		st.st_mode = 0644;
		st.st_uid = st.st_gid = rec->id_base;
	}
	if (fchown(fd, st.st_uid, st.st_gid) < 0 || fchmod(fd, st.st_mode & 07777) < 0)
		return sb_err_set(err, errno, "set the owner of '%s'", name);
	return 0;
}

/* Open the directory that is to hold @full, made if it is missing. */
static int open_parent(int root, const char *full, const struct sb_record *rec, char *name,
		       struct sb_err *err)
{
	char parent[PATH_MAX];
	int fd = sb_open_parent_in_root(root, full, name, err);

	if (fd != -ENOENT)
		return fd;
	snprintf(parent, sizeof(parent), "%.*s", (int)(strrchr(full, '/') - full), full);
	return sb_mkdir_in_root(root, parent, 0755, rec->id_base, rec->id_base, err);
}

/**
 * struct draft - a new file that is not in its place yet
 * @tmp:	the name that it has meanwhile, or gets on the way to its own
 * @is_named:	it has it already
 * @fd:		open for writing, owned
 */
struct draft {
	char tmp[64];
	bool is_named;
	int fd;
};

/*
 * Without a name until it is complete, nothing stays if we are killed while we copy. Overlayfs can
 * do that since Linux 6.10 only; before, the file has a name of ours from the beginning.
 */
static int open_draft(int dir, struct draft *d, struct sb_err *err)
{
	uint64_t n;

	/* Not to be guessed: the sandbox could be there first. */
	if (getrandom(&n, sizeof(n), 0) != sizeof(n))
		return sb_err_set(err, errno, "draw a name");
	snprintf(d->tmp, sizeof(d->tmp), ".sbrun-write.%016jx", (uintmax_t)n);
	d->fd = openat(dir, ".", O_WRONLY | O_TMPFILE | O_CLOEXEC, 0600);
	d->is_named = d->fd < 0 && errno == EOPNOTSUPP;
	if (d->is_named)
		d->fd = openat(dir, d->tmp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
			       0600);
	return d->fd >= 0 ? 0 : sb_err_set(err, errno, "create a file");
}

/* Give the draft its place: linkat(2) cannot replace a file, rename(2) can. */
static int publish(int dir, const struct draft *d, const char *name, struct sb_err *err)
{
	if (!d->is_named && linkat(d->fd, "", dir, d->tmp, AT_EMPTY_PATH) < 0)
		return sb_err_set(err, errno, "name the new file");
	if (renameat(dir, d->tmp, dir, name) < 0)
		return sb_err_set(err, errno, "rename to the final name");
	return 0;
}

/**
 * sb_files_write() - Write a file of a sandbox, whole or not at all
 * @home:	home of the sandbox
 * @rec:	record of a running sandbox
 * @path:	path inside; missing directories above it are made
 * @from_fd:	content, to its end; borrowed
 * @ret_bytes:	length of it
 *
 * A new file belongs to the sandbox's root and has mode 0644; one that is replaced keeps its owner
 * and mode. A symbolic link in its place is replaced, not followed. Before Linux 6.10, a caller
 * that is killed meanwhile leaves a file ".sbrun-write.…" beside it.
 *
 * Return: 0, or a negative errno value with the old file kept
 */
int sb_files_write(const struct sb_home *home, const struct sb_record *rec, const char *path,
		   int from_fd, uint64_t *ret_bytes, struct sb_err *err)
{
	char full[PATH_MAX], name[NAME_MAX + 1];
	_cleanup_fd_ int root = open_root(home, rec, err);
	_cleanup_fd_ int dir = -1, fd = -1;
	struct draft d;

	if (root < 0 || sb_files_absolute(rec, path, full, sizeof(full), err) < 0)
		return -err->code;
	if (full[strlen(full) - 1] == '/')
		return sb_err_set(err, EISDIR, "write '%s'", full);
	dir = open_parent(root, full, rec, name, err);
	if (dir < 0)
		return -err->code;
	if (open_draft(dir, &d, err) < 0)
		return sb_err_prefix(err, "'%s'", full);
	fd = d.fd;
	if (copy(from_fd, fd, UINT64_MAX, ret_bytes, err) == 0 &&
	    inherit(dir, name, rec, fd, err) == 0 && publish(dir, &d, name, err) == 0)
		return 0;
	(void)unlinkat(dir, d.tmp, 0); /* there or not: the name is ours alone */
	return sb_err_prefix(err, "'%s'", full);
}

static bool is_of_kernel(int fd)
{
	struct statfs fs;

	return fstatfs(fd, &fs) < 0 || fs.f_type == PROC_SUPER_MAGIC || fs.f_type == SYSFS_MAGIC;
}

/**
 * sb_files_read() - Read a file of a sandbox
 * @home:	home of the sandbox
 * @rec:	record of a running sandbox
 * @path:	path inside; links are followed inside the sandbox
 * @to_fd:	where its content goes; borrowed
 * @max:	most bytes it may have
 *
 * Only regular files: reading a FIFO or a device could hang or never end. Not those of /proc and
 * /sys either, to which a link of the sandbox could lead: we may read there what it may not.
 *
 * Return: 0, or a negative errno value
 */
int sb_files_read(const struct sb_home *home, const struct sb_record *rec, const char *path,
		  int to_fd, uint64_t max, struct sb_err *err)
{
	_cleanup_fd_ int root = open_root(home, rec, err);
	_cleanup_fd_ int fd = -1;
	char full[PATH_MAX];
	struct stat st;
	uint64_t bytes;

	if (root < 0 || sb_files_absolute(rec, path, full, sizeof(full), err) < 0)
		return -err->code;
	fd = sb_open_in_root(root, full, O_RDONLY, 0);
	if (fd < 0 || fstat(fd, &st) < 0)
		return sb_err_set(err, fd < 0 ? -fd : errno, "open '%s'", full);
	if (is_of_kernel(fd)) {
		sb_err_refuse(err, EACCES, "'%s' is made by the kernel", full);
		return sb_err_hint(err, "'sbrun exec' can read it as the sandbox sees it");
	}
	if (!S_ISREG(st.st_mode))
		return sb_err_set(err, S_ISDIR(st.st_mode) ? EISDIR : EINVAL,
				  "'%s' is not a regular file", full);
	if ((uint64_t)st.st_size > max)
		return sb_err_refuse(err, EFBIG, "'%s' has more than %ju bytes", full,
				     (uintmax_t)max);
	/* Its length now: one that is written to could grow for ever. */
	if (copy(fd, to_fd, (uint64_t)st.st_size, &bytes, err) < 0)
		return sb_err_prefix(err, "'%s'", full);
	return 0;
}
