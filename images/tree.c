/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tree.c - directories of a layer being unpacked: how to reach, make and mark them
 *
 * Nothing here trusts a path of the archive. Directories are opened by the kernel with
 * RESOLVE_BENEATH and RESOLVE_NO_SYMLINKS from the layer's root (openat2(2), Linux 5.6), entries
 * are made by their last component in the descriptor so obtained.
 */
#include "images/tree.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <linux/openat2.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/err.h"
#include "runtime/base/sys.h"

#define DIRS_FIRST_BYTES (64 << 10)

/* Open @path below @dirfd, never following a link and never leaving the file system. */
static int open_beneath(int dirfd, const char *path, int flags)
{
	const struct open_how how = {
		.flags = (uint64_t)(flags | O_CLOEXEC),
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS |
			   RESOLVE_NO_XDEV,
	};
	int fd = sb_openat2(dirfd, *path ? path : ".", &how);

	return fd >= 0 ? fd : -errno;
}

/**
 * sb_tree_init() - Start to fill a layer directory
 * @tree:	caller's memory; sb_tree_done() releases what it holds
 * @root:	the directory; borrowed
 * @hooks:	borrowed; may be NULL
 * @dirs_max:	most bytes of memory for sb_tree_note_time()
 *
 * Return: 0, or a negative errno value
 */
int sb_tree_init(struct sb_tree *tree, int root, const struct sb_layer_hooks *hooks,
		 size_t dirs_max, struct sb_err *err)
{
	struct stat st;

	if (fstat(root, &st) < 0)
		return sb_err_set(err, errno, "look at the layer directory");
	*tree = (struct sb_tree){ .root = root,
				  .hooks = hooks,
				  .parent_fd = -1,
				  .inherits = (st.st_mode & S_ISGID) || getegid() != 0,
				  .dirs_max = dirs_max };
	return 0;
}

/**
 * sb_tree_done() - Release what a tree holds; the directory stays as it is
 * @tree:	tree
 */
void sb_tree_done(struct sb_tree *tree)
{
	sb_close_fd(&tree->parent_fd);
	free(tree->dirs);
	tree->dirs = NULL;
}

/**
 * sb_tree_is_whiteout() - Whether an entry stands for "removed from the lower layers"
 * @dirfd:	directory
 * @name:	entry in it
 *
 * Return: true for a character device 0/0 (Documentation/filesystems/overlayfs.rst)
 */
bool sb_tree_is_whiteout(int dirfd, const char *name)
{
	struct stat st;

	return fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISCHR(st.st_mode) &&
	       st.st_rdev == makedev(0, 0);
}

/**
 * sb_tree_set_opaque() - Hide what lower layers have in a directory
 * @tree:	tree
 * @dirfd:	directory, not O_PATH; borrowed
 *
 * Return: 0, or a negative errno value
 */
int sb_tree_set_opaque(struct sb_tree *tree, int dirfd, struct sb_err *err)
{
	int r;

	if (tree->hooks && tree->hooks->set_opaque)
		r = tree->hooks->set_opaque(tree->hooks->ctx, dirfd);
	else
		r = fsetxattr(dirfd, "trusted.overlay.opaque", "y", 1, 0) < 0 ? -errno : 0;
	return r < 0 ? sb_err_set(err, -r, "mark a directory as opaque") : 0;
}

/**
 * sb_tree_make_dir() - Make a directory with mode 0755 of root, over a whiteout if there is one
 * @tree:	tree
 * @dirfd:	where; O_PATH is enough; borrowed
 * @name:	one component
 *
 * A directory that takes the place of a whiteout is opaque: the whiteout hid the one below.
 *
 * Return: a descriptor, not O_PATH, or a negative errno value (-EEXIST: something else is there)
 */
int sb_tree_make_dir(struct sb_tree *tree, int dirfd, const char *name, struct sb_err *err)
{
	_cleanup_fd_ int fd = -1;
	bool opaque = false;

	if (mkdirat(dirfd, name, 0700) < 0) {
		if (errno != EEXIST || !sb_tree_is_whiteout(dirfd, name))
			return sb_err_set(err, errno, "make a directory");
		opaque = true;
		if (unlinkat(dirfd, name, 0) < 0 || mkdirat(dirfd, name, 0700) < 0)
			return sb_err_set(err, errno, "make a directory");
	}
	fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || (tree->inherits && fchown(fd, 0, 0) < 0) || fchmod(fd, 0755) < 0)
		return sb_err_set(err, errno, "make a directory");
	if (opaque && sb_tree_set_opaque(tree, fd, err) < 0)
		return -err->code;
	return sb_steal_fd(&fd);
}

static int refuse_parent(int code, struct sb_err *err)
{
	if (code == ELOOP)
		return sb_err_refuse(err, EPROTO, "a directory of its path is a symbolic link");
	if (code == ENOTDIR)
		return sb_err_refuse(err, EPROTO, "a directory of its path is not a directory");
	return sb_err_set(err, code, "open its directory");
}

/* Open directory @path, making what is missing of it (an archive need not list parents). */
static int make_path(struct sb_tree *tree, const char *path, struct sb_err *err)
{
	_cleanup_fd_ int fd = open_beneath(tree->root, "", O_PATH | O_DIRECTORY);
	char name[SB_LAYER_NAME_MAX + 1];

	while (fd >= 0 && *path) {
		size_t len = strcspn(path, "/");
		int next;

		memcpy(name, path, len);
		name[len] = '\0';
		path += len + (path[len] == '/');
		next = open_beneath(fd, name, O_PATH | O_DIRECTORY);
		if (next == -ENOENT || (next == -ENOTDIR && sb_tree_is_whiteout(fd, name)))
			next = sb_tree_make_dir(tree, fd, name, err);
		else if (next < 0)
			next = refuse_parent(-next, err);
		if (next < 0)
			return next;
		sb_close_fd(&fd);
		fd = next;
	}
	return fd >= 0 ? sb_steal_fd(&fd) : sb_err_set(err, -fd, "open the layer directory");
}

/**
 * sb_tree_enter() - The directory that a path's last component is to be made in
 * @tree:	tree
 * @path:	cleaned path, not ""
 * @ret_name:	last component, points into @path
 *
 * Missing directories are made, 0755 root. The last one used is kept open, since entries of one
 * directory follow each other.
 *
 * Return: an O_PATH descriptor, owned by @tree and valid until the next call, or a negative errno
 * value (-EPROTO: something in the path is a link or a file)
 */
int sb_tree_enter(struct sb_tree *tree, const char *path, const char **ret_name, struct sb_err *err)
{
	const char *slash = strrchr(path, '/');
	size_t len = slash ? (size_t)(slash - path) : 0;
	int fd;

	*ret_name = slash ? slash + 1 : path;
	if (tree->parent_fd >= 0 && !strncmp(tree->parent, path, len) && !tree->parent[len])
		return tree->parent_fd;
	sb_close_fd(&tree->parent_fd);
	memcpy(tree->parent, path, len);
	tree->parent[len] = '\0';
	fd = open_beneath(tree->root, tree->parent, O_PATH | O_DIRECTORY);
	if (fd == -ENOENT || fd == -ENOTDIR)
		fd = make_path(tree, tree->parent, err);
	else if (fd < 0)
		fd = refuse_parent(-fd, err);
	tree->parent_fd = fd < 0 ? -1 : fd;
	return fd;
}

/**
 * sb_tree_find() - The directory that holds an existing entry
 * @tree:	tree
 * @path:	cleaned path
 * @ret_name:	last component, room for SB_LAYER_NAME_MAX + 1 bytes
 *
 * Return: an O_PATH descriptor that the caller closes, or a negative errno value (-ENOENT)
 */
int sb_tree_find(struct sb_tree *tree, const char *path, char *ret_name, struct sb_err *err)
{
	char dir[SB_LAYER_PATH_SIZE];
	const char *slash = strrchr(path, '/');
	size_t len = slash ? (size_t)(slash - path) : 0;
	int fd;

	memcpy(dir, path, len);
	dir[len] = '\0';
	path = slash ? slash + 1 : path;
	memcpy(ret_name, path, strlen(path) + 1);
	fd = open_beneath(tree->root, dir, O_PATH | O_DIRECTORY);
	return fd >= 0 ? fd : sb_err_set(err, -fd, "open a directory");
}

/**
 * sb_tree_note_time() - Remember the time of a directory until nothing is made in it any more
 * @tree:	tree
 * @path:	cleaned path of the directory
 * @mtime:	its time of last change
 *
 * Return: 0, or a negative errno value (-EPROTO: the limit is reached)
 */
int sb_tree_note_time(struct sb_tree *tree, const char *path, const struct timespec *mtime,
		      struct sb_err *err)
{
	size_t path_size = strlen(path) + 1;
	size_t need = tree->dirs_len + sizeof(*mtime) + path_size;

	if (need > tree->dirs_max)
		return sb_err_refuse(err, EPROTO, "the layer has too many directories");
	if (need > tree->dirs_size) {
		size_t size = tree->dirs_size ? tree->dirs_size * 2 : DIRS_FIRST_BYTES;
		char *p = realloc(tree->dirs, size > need ? size : need);

		if (!p)
			return sb_err_set(err, ENOMEM, "remember a directory");
		tree->dirs = p;
		tree->dirs_size = size > need ? size : need;
	}
	memcpy(tree->dirs + tree->dirs_len, mtime, sizeof(*mtime));
	memcpy(tree->dirs + tree->dirs_len + sizeof(*mtime), path, path_size);
	tree->dirs_len = need;
	return 0;
}

/**
 * sb_tree_set_times() - Set the times that were remembered, at the end
 * @tree:	tree
 *
 * Return: 0, or a negative errno value
 */
int sb_tree_set_times(struct sb_tree *tree, struct sb_err *err)
{
	for (size_t pos = 0; pos < tree->dirs_len;) {
		struct timespec times[2];
		const char *path = tree->dirs + pos + sizeof(times[0]);
		_cleanup_fd_ int fd = open_beneath(tree->root, path, O_RDONLY | O_DIRECTORY);

		memcpy(&times[0], tree->dirs + pos, sizeof(times[0]));
		times[1] = times[0];
		pos += sizeof(times[0]) + strlen(path) + 1;
		/* A later entry of the archive may have put something else in its place. */
		if (fd == -ENOENT || fd == -ENOTDIR || fd == -ELOOP)
			continue;
		if (fd < 0)
			return sb_err_set(err, -fd, "open a directory");
		if (futimens(fd, times) < 0)
			return sb_err_set(err, errno, "set the time of a directory");
	}
	return 0;
}
