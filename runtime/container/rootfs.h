/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rootfs.h - what a container sees as its file system
 */
#ifndef SB_CONTAINER_ROOTFS_H
#define SB_CONTAINER_ROOTFS_H

#include <stddef.h>
#include <sys/types.h>

struct sb_err;

#define SB_LAYERS_MAX 256 /* Docker stops at 127; overlayfs at 500 (fs/overlayfs/params.h) */

/**
 * struct sb_rootfs - the parts a root file system is made of; everything is borrowed
 * @layers_fd:	directory that holds the unpacked layers
 * @layers:	their names in it, lowest first, each at most once
 * @n_layers:	how many, 1..SB_LAYERS_MAX
 * @rw_fd:	directory on a file system that overlayfs can write to
 * @scratch:	absolute path of a directory of the host to build in; only a private mount covers it
 * @userns_fd:	user namespace of the container
 * @id_base:	host id of its id 0
 * @cwd:	working directory that is to exist; NULL for none
 * @hostname:	content of /etc/hostname
 * @hosts:	content of /etc/hosts
 * @resolv:	content of /etc/resolv.conf
 */
struct sb_rootfs {
	int layers_fd;
	char *const *layers;
	size_t n_layers;
	int rw_fd;
	const char *scratch;
	int userns_fd;
	uid_t id_base;
	const char *cwd;
	const char *hostname;
	const char *hosts;
	const char *resolv;
};

/**
 * struct sb_rootfs_mounts - the parts as detached mounts, to be attached in the container
 * @layers:	one for each layer that can be seen, highest first: read-only, with the id map
 * @n_layers:	how many
 * @rw:		the writable directory
 */
struct sb_rootfs_mounts {
	int layers[SB_LAYERS_MAX];
	size_t n_layers;
	int rw;
};

int sb_rootfs_open(const struct sb_rootfs *fs, struct sb_rootfs_mounts *ret, struct sb_err *err);
void sb_rootfs_close(struct sb_rootfs_mounts *m);
int sb_rootfs_enter(const struct sb_rootfs *fs, const struct sb_rootfs_mounts *m,
		    struct sb_err *err);
int sb_rootfs_mount_system(int rootfd, uid_t id_base, struct sb_err *err);

#endif /* SB_CONTAINER_ROOTFS_H */
