/* SPDX-License-Identifier: Apache-2.0 */
/*
 * layer.c - unpack the tar of one layer into a directory that overlay can use as it is
 *
 * Theory of operation. Entries are applied in the order of the archive; a later one replaces an
 * earlier one of the same path, except that a directory over a directory only brings new owner,
 * mode, time and attributes. Every entry is made by its last component in a directory descriptor
 * (tree.c), never by following anything: files with O_EXCL|O_NOFOLLOW, and owner, mode, attributes
 * and times are set on the descriptor just made. Order matters there: chown(2) clears set-user-id
 * bits and file capabilities, so it goes first.
 *
 * Whiteouts (OCI image-spec layer.md) speak about lower layers only and so do not depend on their
 * place in the archive: ".wh.NAME" becomes a character device 0/0, or makes a directory NAME of
 * this layer opaque, and is nothing beside another NAME of this layer; ".wh..wh..opq" makes its
 * directory opaque. Other names that begin with ".wh..wh." are AUFS's own files, left out as docker
 * does. Overlay ignores the mark on the root of a layer; runtime/container/rootfs.c heeds it.
 *
 * Refused: what could pass for overlay's own marks (devices 0/0; attributes trusted.* and
 * user.overlay.* are dropped), hard links to files of lower layers (only the merged tree has them,
 * and overlay can't link across layers; builders write such files as copies), a path that leads
 * through a link. Kept: devices (the mount is nodev), set-user-id bits, security.capability and
 * user.* attributes.
 */
#include "images/layer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "images/split.h"
#include "images/store.h"
#include "images/tar.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/path.h"

#define WHITEOUT_PREFIX ".wh."
#define AUFS_PREFIX     ".wh..wh."
#define WRITE_OUT_BYTES \
	(64 << 10) /* measured: for smaller files the call costs more than it gains */
#define OPAQUE_NAME ".wh..wh..opq"

/* One layer at work. */
struct unpacker {
	struct sb_tree tree;
	struct sb_tar *tar;
	struct sb_split *split;
	struct sb_layer_record record;
};

static bool has_prefix(const char *s, const char *prefix)
{
	return !strncmp(s, prefix, strlen(prefix));
}

/* Remove what lies in the way of a new entry. Directories that tree.c keeps open stay valid: the
 * only one is the parent of @name. */
static int clear_way(struct unpacker *u, int dirfd, const char *name, const struct sb_tar_entry *e,
		     struct sb_err *err)
{
	struct stat st;
	int r;

	/* Content goes, or may go with a directory. */
	if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    (S_ISDIR(st.st_mode) || (S_ISREG(st.st_mode) && st.st_size > 0)))
		sb_split_spoil(u->split, e->path);
	r = sb_remove_tree_at(dirfd, name);

	return r < 0 ? sb_err_set(err, -r, "replace an earlier entry") : 0;
}

/* Attributes that mean something to the programs in the image, as opposed to overlay. */
static bool xattr_is_kept(const char *name)
{
	return !strcmp(name, "security.capability") ||
	       (has_prefix(name, "user.") && !has_prefix(name, "user.overlay."));
}

static int set_xattrs(int fd, const struct sb_tar_entry *e, struct sb_err *err)
{
	struct sb_tar_xattr x;
	size_t pos = 0;

	while (sb_tar_next_xattr(e, &pos, &x)) {
		if (!xattr_is_kept(x.name) || fsetxattr(fd, x.name, x.value, x.len, 0) == 0)
			continue;
		/* tmpfs before Linux 6.6 has no user attributes; nothing in an image needs them. */
		if (errno == ENOTSUP && has_prefix(x.name, "user."))
			continue;
		return sb_err_set(err, errno, "set attribute '%.40s'", x.name);
	}
	return 0;
}

/* Owner, mode and attributes of a file or directory that is open, not its time. */
static int set_metadata(struct unpacker *u, int fd, const struct sb_tar_entry *e, bool chown_always,
			struct sb_err *err)
{
	if ((e->uid || e->gid || chown_always || u->tree.inherits) &&
	    fchown(fd, e->uid, e->gid) < 0)
		return sb_err_set(err, errno, "set the owner");
	if (fchmod(fd, e->mode) < 0)
		return sb_err_set(err, errno, "set the mode");
	return set_xattrs(fd, e, err);
}

static int put_file(struct unpacker *u, int dirfd, const char *name, const struct sb_tar_entry *e,
		    struct sb_err *err)
{
	const int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
	const struct timespec times[2] = { e->mtime, e->mtime };
	_cleanup_fd_ int fd = openat(dirfd, name, flags, 0600);
	uint64_t end = 0, at;
	const uint8_t *piece;
	ssize_t n;

	if (fd < 0 && errno == EEXIST) {
		if (clear_way(u, dirfd, name, e, err) < 0)
			return -err->code;
		fd = openat(dirfd, name, flags, 0600);
	}
	if (fd < 0)
		return sb_err_set(err, errno, "create");
	while ((n = sb_tar_read(u->tar, &piece, &at, err)) > 0) {
		int r = at == end || lseek(fd, (off_t)at, SEEK_SET) >= 0
				? sb_write_all(fd, piece, (size_t)n)
				: -errno;

		if (r < 0)
			return sb_err_set(err, -r, "write");
		end = at + (uint64_t)n;
	}
	u->record.file_bytes += e->stored;
	/* A hole at the end: what lies between is never written, so it takes no space. */
	if (n == 0 && end < e->size && ftruncate(fd, (off_t)e->size) < 0)
		return sb_err_set(err, errno, "set the length");
	if (n < 0 || set_metadata(u, fd, e, false, err) < 0)
		return -err->code;
	/* Let the disk work while we do: what is left to the sync at the end is waited for. It is a
	 * hint, so errors are that sync's to report. */
	if (e->stored >= WRITE_OUT_BYTES)
		(void)sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE);
	return futimens(fd, times) < 0 ? sb_err_set(err, errno, "set the time") : 0;
}

/* Open or make directory @name, replacing what is not one. */
static int open_or_make(struct unpacker *u, int dirfd, const char *name,
			const struct sb_tar_entry *e, bool *ret_old, struct sb_err *err)
{
	int fd = sb_tree_make_dir(&u->tree, dirfd, name, err);

	*ret_old = false;
	if (fd != -EEXIST)
		return fd;
	fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	*ret_old = fd >= 0;
	if (fd >= 0)
		return fd;
	if (errno != ENOTDIR && errno != ELOOP)
		return sb_err_set(err, errno, "open a directory");
	if (clear_way(u, dirfd, name, e, err) < 0)
		return -err->code;
	return sb_tree_make_dir(&u->tree, dirfd, name, err);
}

static int put_dir(struct unpacker *u, int dirfd, const char *name, const struct sb_tar_entry *e,
		   struct sb_err *err)
{
	bool old;
	_cleanup_fd_ int fd = open_or_make(u, dirfd, name, e, &old, err);

	if (fd < 0)
		return -err->code;
	if (set_metadata(u, fd, e, old, err) < 0)
		return -err->code;
	u->tree.inherits |= (e->mode & S_ISGID) != 0;
	return sb_tree_note_time(&u->tree, e->path, &e->mtime, err);
}

/* The entry "./": mode, owner, time and attributes of the layer's root. */
static int put_root(struct unpacker *u, const struct sb_tar_entry *e, struct sb_err *err)
{
	if (e->type != SB_TAR_DIR)
		return sb_err_refuse(err, EPROTO, "the root is not a directory");
	if (set_metadata(u, u->tree.root, e, true, err) < 0)
		return -err->code;
	u->tree.inherits |= (e->mode & S_ISGID) != 0;
	return sb_tree_note_time(&u->tree, "", &e->mtime, err);
}

static int put_symlink(struct unpacker *u, int dirfd, const char *name,
		       const struct sb_tar_entry *e, struct sb_err *err)
{
	const struct timespec times[2] = { e->mtime, e->mtime };
	int r = symlinkat(e->link, dirfd, name);

	if (r < 0 && errno == EEXIST) {
		if (clear_way(u, dirfd, name, e, err) < 0)
			return -err->code;
		r = symlinkat(e->link, dirfd, name);
	}
	if (r < 0)
		return sb_err_set(err, errno, "make the symbolic link");
	/* A link can't be opened for these; it was made just now, and nobody else works here. */
	if (fchownat(dirfd, name, e->uid, e->gid, AT_SYMLINK_NOFOLLOW) < 0 ||
	    utimensat(dirfd, name, times, AT_SYMLINK_NOFOLLOW) < 0)
		return sb_err_set(err, errno, "set owner and time");
	return 0;
}

static int put_node(struct unpacker *u, int dirfd, const char *name, const struct sb_tar_entry *e,
		    struct sb_err *err)
{
	const struct timespec times[2] = { e->mtime, e->mtime };
	mode_t kind = e->type == SB_TAR_CHAR    ? S_IFCHR
		      : e->type == SB_TAR_BLOCK ? S_IFBLK
						: S_IFIFO;
	dev_t dev = makedev(e->dev_major, e->dev_minor);
	int r;

	if (kind == S_IFCHR && dev == makedev(0, 0))
		return sb_err_refuse(err, EPROTO, "a device 0/0 would pass for a whiteout");
	r = mknodat(dirfd, name, kind | 0600, dev);
	if (r < 0 && errno == EEXIST) {
		if (clear_way(u, dirfd, name, e, err) < 0)
			return -err->code;
		r = mknodat(dirfd, name, kind | 0600, dev);
	}
	if (r < 0)
		return sb_err_set(err, errno, "make the device or FIFO");
	/* Opening a device has effects; fchmodat(2) follows links, but this is none: see above. */
	if (fchownat(dirfd, name, e->uid, e->gid, AT_SYMLINK_NOFOLLOW) < 0 ||
	    fchmodat(dirfd, name, e->mode, 0) < 0 ||
	    utimensat(dirfd, name, times, AT_SYMLINK_NOFOLLOW) < 0)
		return sb_err_set(err, errno, "set owner, mode and time");
	return 0;
}

static int put_hardlink(struct unpacker *u, int dirfd, const char *name,
			const struct sb_tar_entry *e, struct sb_err *err)
{
	char target[SB_LAYER_NAME_MAX + 1], shown[SB_TAR_SHOWN_SIZE];
	_cleanup_fd_ int from = -1;
	struct stat st;

	if (!strcmp(e->path, e->link))
		return sb_err_refuse(err, EPROTO, "a hard link to itself");
	from = sb_tree_find(&u->tree, e->link, target, err);
	if (from < 0 || fstatat(from, target, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
	    sb_tree_is_whiteout(from, target))
		return sb_err_refuse(err, EPROTO, "hard link to '%s', which is not in this layer",
				     sb_tar_shown(e->link, shown));
	if (S_ISDIR(st.st_mode))
		return sb_err_refuse(err, EPROTO, "hard link to the directory '%s'",
				     sb_tar_shown(e->link, shown));
	if (linkat(from, target, dirfd, name, 0) == 0)
		return 0;
	if (errno != EEXIST)
		return sb_err_set(err, errno, "make the hard link");
	if (clear_way(u, dirfd, name, e, err) < 0)
		return -err->code;
	/* The target may have been inside what was cleared. */
	if (linkat(from, target, dirfd, name, 0) < 0)
		return sb_err_set(err, errno, "make the hard link");
	return 0;
}

/* ".wh..wh..opq" in the directory @dirfd, or ".wh.@name" for a directory that this layer has. */
static int put_opaque(struct unpacker *u, int dirfd, const char *name, struct sb_err *err)
{
	_cleanup_fd_ int fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return sb_err_set(err, errno, "open a directory");
	return sb_tree_set_opaque(&u->tree, fd, err);
}

static int put_whiteout(struct unpacker *u, int dirfd, const char *name, struct sb_err *err)
{
	struct stat st;

	name += strlen(WHITEOUT_PREFIX);
	if (!name[0] || !strcmp(name, ".") || !strcmp(name, ".."))
		return sb_err_refuse(err, EPROTO, "a whiteout of no file");
	if (mknodat(dirfd, name, S_IFCHR, makedev(0, 0)) == 0)
		return 0;
	if (errno != EEXIST || fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return sb_err_set(err, errno, "make the whiteout");
	return S_ISDIR(st.st_mode) ? put_opaque(u, dirfd, name, err) : 0;
}

/*
 * Whether a path has a reserved component before its last one, or is AUFS's own.
 * Return: 1: to be left out, 0: to be made, < 0: refused
 */
static int check_reserved(const char *path, struct sb_err *err)
{
	bool hidden = false;

	for (const char *p = path;; p++) {
		bool last = !strchr(p, '/');

		if (has_prefix(p, AUFS_PREFIX) && !(last && !strcmp(p, OPAQUE_NAME)))
			return 1;
		hidden = hidden || (!last && has_prefix(p, WHITEOUT_PREFIX));
		if (last)
			break;
		p = strchr(p, '/');
	}
	return hidden ? sb_err_refuse(err, EPROTO, "a whiteout is not a directory") : 0;
}

static int apply(struct unpacker *u, const struct sb_tar_entry *e, struct sb_err *err)
{
	const char *name;
	int r = check_reserved(e->path, err);
	int dirfd;

	if (r != 0)
		return r < 0 ? r : 0;
	if (!e->path[0])
		return put_root(u, e, err);
	dirfd = sb_tree_enter(&u->tree, e->path, &name, err);
	if (dirfd < 0)
		return dirfd;
	if (!strcmp(name, OPAQUE_NAME))
		return put_opaque(u, dirfd, ".", err);
	if (has_prefix(name, WHITEOUT_PREFIX))
		return put_whiteout(u, dirfd, name, err);
	u->record.entries++;
	switch (e->type) {
	case SB_TAR_FILE:
		return put_file(u, dirfd, name, e, err);
	case SB_TAR_DIR:
		return put_dir(u, dirfd, name, e, err);
	case SB_TAR_SYMLINK:
		return put_symlink(u, dirfd, name, e, err);
	case SB_TAR_HARDLINK:
		return put_hardlink(u, dirfd, name, e, err);
	case SB_TAR_CHAR:
	case SB_TAR_BLOCK:
	case SB_TAR_FIFO:
		return put_node(u, dirfd, name, e, err);
	}
	return sb_err_refuse(err, EPROTO, "unknown type");
}

/* Apply all entries of the tar. */
static int apply_all(struct unpacker *u, struct sb_err *err)
{
	const struct sb_tar_entry *e;
	char shown[SB_TAR_SHOWN_SIZE];
	int r = 0;

	while (r == 0 && (r = sb_tar_next(u->tar, &e, err)) > 0) {
		r = apply(u, e, err);
		if (r < 0)
			sb_err_prefix(err, "'%s'", sb_tar_shown(e->path, shown));
	}
	return r;
}

/**
 * sb_layer_unpack() - Unpack the tar of one layer
 * @job:	what, and where to
 * @ret:	sizes; written on success only
 *
 * Needs CAP_CHOWN, CAP_FOWNER, CAP_FSETID, CAP_DAC_OVERRIDE, CAP_MKNOD and CAP_SETFCAP. On failure
 * directory and record hold a part, which the caller removes.
 *
 * Return: 0, or a negative errno value with the entry named (-EPROTO: broken, hostile or over a
 * limit)
 */
int sb_layer_unpack(const struct sb_layer_job *job, struct sb_layer_record *ret, struct sb_err *err)
{
	_cleanup_tar_ struct sb_tar *tar = sb_tar_new(job->tar, job->limits, err);
	_cleanup_split_ struct sb_split *split = NULL;
	struct unpacker u = { .tar = tar };
	int r;

	if (!tar)
		return -err->code;
	if (job->split_fd >= 0) {
		split = sb_split_new(job->split_fd, err);
		if (!split)
			return -err->code;
	}
	if (sb_tree_init(&u.tree, job->dirfd, job->hooks, job->limits->dir_bytes, err) < 0)
		return -err->code;
	sb_tar_record(tar, split);
	u.split = split;
	r = fchmod(job->dirfd, 0755) < 0 ? sb_err_set(err, errno, "set the mode of the root") : 0;
	if (r == 0)
		r = apply_all(&u, err);
	if (r == 0)
		r = sb_tar_drain(tar, err);
	if (r == 0)
		r = sb_split_finish(split, err);
	if (r == 0)
		r = sb_tree_set_times(&u.tree, err);
	sb_tree_done(&u.tree);
	if (r < 0)
		return r;
	u.record.tar_bytes = sb_tar_offset(tar);
	*ret = u.record;
	return 0;
}
