/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tar.h - reader for tar streams: ustar, PAX, GNU long names and sparse files
 *
 * sb_tar_next() gives one entry after the other, sb_tar_read() the content of a regular file in
 * pieces that are not copied. What comes out has been checked: names are relative, without "..",
 * NUL or overlong parts, numbers are in range.
 */
#ifndef SB_IMAGES_TAR_H
#define SB_IMAGES_TAR_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

#include "images/limits.h"

struct sb_err;
struct sb_source;
struct sb_split;
struct sb_tar;

enum sb_tar_type {
	SB_TAR_FILE,
	SB_TAR_DIR,
	SB_TAR_SYMLINK,
	SB_TAR_HARDLINK,
	SB_TAR_CHAR,
	SB_TAR_BLOCK,
	SB_TAR_FIFO,
};

/**
 * struct sb_tar_entry - one entry; valid until the next call of sb_tar_next()
 * @type:	what it is
 * @path:	components joined by single slashes; "" is the root
 * @link:	symbolic link: target as it stands; hard link: like @path
 * @mode:	permission bits, 07777
 * @uid:	owner
 * @gid:	group
 * @size:	length of a regular file, else 0
 * @stored:	bytes of it that the tar holds: less than @size if there are holes
 * @mtime:	time of last change
 * @dev_major:	of a device
 * @dev_minor:	likewise
 * @xattrs:	for sb_tar_next_xattr()
 * @xattrs_len:	bytes
 */
struct sb_tar_entry {
	enum sb_tar_type type;
	char path[SB_LAYER_PATH_SIZE];
	char link[SB_LAYER_PATH_SIZE];
	mode_t mode;
	uid_t uid;
	gid_t gid;
	uint64_t size;
	uint64_t stored;
	struct timespec mtime;
	uint32_t dev_major;
	uint32_t dev_minor;
	const char *xattrs;
	size_t xattrs_len;
};

/**
 * struct sb_tar_xattr - one extended attribute of an entry, borrowed from it
 * @name:	e.g. "user.note"
 * @value:	bytes
 * @len:	how many
 */
struct sb_tar_xattr {
	const char *name;
	const void *value;
	size_t len;
};

#define SB_TAR_SHOWN_SIZE 84 /* room for a name in a message */

struct sb_tar *sb_tar_new(struct sb_source *from, const struct sb_layer_limits *limits,
			  struct sb_err *err);
void sb_tar_free(struct sb_tar *tar);
void sb_tar_record(struct sb_tar *tar, struct sb_split *split);
int sb_tar_next(struct sb_tar *tar, const struct sb_tar_entry **ret, struct sb_err *err);
ssize_t sb_tar_read(struct sb_tar *tar, const uint8_t **ret, uint64_t *ret_offset,
		    struct sb_err *err);
int sb_tar_drain(struct sb_tar *tar, struct sb_err *err);
uint64_t sb_tar_offset(const struct sb_tar *tar);

int sb_tar_next_xattr(const struct sb_tar_entry *entry, size_t *pos, struct sb_tar_xattr *ret);
int sb_tar_clean_path(const char *path, unsigned int depth_max, char *ret, struct sb_err *err);
const char *sb_tar_shown(const char *name, char *buf);

static inline void sb_cleanup_tar(struct sb_tar **tar)
{
	sb_tar_free(*tar);
}
#define _cleanup_tar_ __attribute__((cleanup(sb_cleanup_tar)))

#endif /* SB_IMAGES_TAR_H */
