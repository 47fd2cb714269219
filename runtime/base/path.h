/* SPDX-License-Identifier: Apache-2.0 */
/*
 * path.h - the only way to a path below a directory that somebody else fills
 *
 * A container's root file system is hostile: any component may be a symbolic link, and may be
 * exchanged while we look. These functions resolve every path inside the kernel with openat2(2) and
 * RESOLVE_IN_ROOT, so that ".." and links never lead out of the root.
 */
#ifndef SB_BASE_PATH_H
#define SB_BASE_PATH_H

#include <dirent.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct sb_err;

int sb_open_in_root(int rootfd, const char *path, int flags, mode_t mode);
int sb_mkdir_in_root(int rootfd, const char *path, mode_t mode, uid_t uid, gid_t gid,
		     struct sb_err *err);
int sb_open_parent_in_root(int rootfd, const char *path, char *ret_name, struct sb_err *err);
int sb_open_dir_at(int dirfd, const char *path, struct sb_err *err);
DIR *sb_opendir_at(int dirfd, const char *path);
int sb_ensure_dir_at(int dirfd, const char *path, mode_t mode, struct sb_err *err);
int sb_remove_tree_at(int dirfd, const char *name);
bool sb_name_is_valid(const char *name);

#endif /* SB_BASE_PATH_H */
