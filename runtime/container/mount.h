/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mount.h - mounts by descriptor: no path is resolved twice
 *
 * A mount is made detached, and attached to a directory that is already open: an image cannot
 * redirect it with a symbolic link (CVE-2021-30465, CVE-2026-41579 and their kin).
 */
#ifndef SB_CONTAINER_MOUNT_H
#define SB_CONTAINER_MOUNT_H

struct sb_err;

/**
 * struct sb_mount_opt - one option of a file system
 * @key:	its name; NULL ends the list
 * @value:	its value; NULL for a flag
 */
struct sb_mount_opt {
	const char *key;
	const char *value;
};

int sb_mount_new(const char *fstype, const struct sb_mount_opt *opts, unsigned int attrs,
		 struct sb_err *err);
int sb_mount_clone(int dirfd, const char *path, unsigned int attrs, int idmap_fd,
		   struct sb_err *err);
int sb_mount_attach(int mount_fd, int dirfd, const char *path, struct sb_err *err);

#endif /* SB_CONTAINER_MOUNT_H */
