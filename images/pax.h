/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pax.h - records of extended tar headers (POSIX.1-2017, pax, "pax Header Block")
 */
#ifndef SB_IMAGES_PAX_H
#define SB_IMAGES_PAX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "images/limits.h"

struct sb_err;
struct sb_sparse;

/**
 * struct sb_pax - what extended headers say about the next entry
 * @has_path:	@path is set
 * @real_name:	@path came from GNU.sparse.name, beside which a record "path" is a stand-in
 * @has_link:	@link is set
 * @has_size:	@size is set
 * @has_uid:	@uid is set
 * @has_gid:	@gid is set
 * @has_mtime:	@mtime is set
 * @path:	replaces the name of the header
 * @link:	replaces its link name
 * @size:	replaces its size, bytes
 * @uid:	replaces its owner
 * @gid:	replaces its group
 * @mtime:	replaces its time
 * @xattrs:	extended attributes, see sb_tar_next_xattr(); owned
 * @xattrs_len:	bytes used of it
 * @sparse:	gets what is said about a sparse file; borrowed, not reset with the rest
 */
struct sb_pax {
	bool has_path;
	bool real_name;
	bool has_link;
	bool has_size;
	bool has_uid;
	bool has_gid;
	bool has_mtime;
	char path[SB_LAYER_PATH_SIZE];
	char link[SB_LAYER_PATH_SIZE];
	uint64_t size;
	uint64_t uid;
	uint64_t gid;
	struct timespec mtime;
	char *xattrs;
	size_t xattrs_len;
	struct sb_sparse *sparse;
};

int sb_pax_parse(struct sb_pax *pax, char *records, size_t len, size_t xattr_max,
		 struct sb_err *err);
int sb_pax_parse_global(struct sb_pax *pax, char *records, size_t len, struct sb_err *err);
int sb_pax_set_name(char *ret, bool *ret_has, const char *value, size_t len, struct sb_err *err);
void sb_pax_reset(struct sb_pax *pax);
void sb_pax_done(struct sb_pax *pax);

#endif /* SB_IMAGES_PAX_H */
