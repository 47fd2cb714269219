/* SPDX-License-Identifier: Apache-2.0 */
/*
 * archive.h - write a tar of plain files, whose sizes are known before their content
 */
#ifndef SB_IMAGES_ARCHIVE_H
#define SB_IMAGES_ARCHIVE_H

#include <stddef.h>
#include <stdint.h>

struct sb_err;

/**
 * struct sb_archive - a tar being written
 * @fd:		where to, borrowed
 * @buf:	what is not written yet, owned
 * @len:	bytes in it
 * @total:	bytes of the tar so far
 * @left:	bytes that the current file still lacks
 * @pad:	filling after it
 */
struct sb_archive {
	int fd;
	char *buf;
	size_t len;
	uint64_t total;
	uint64_t left;
	size_t pad;
};

int sb_archive_init(struct sb_archive *archive, int fd, struct sb_err *err);
int sb_archive_begin(struct sb_archive *archive, const char *name, uint64_t size,
		     struct sb_err *err);
int sb_archive_write(struct sb_archive *archive, const void *data, size_t len, struct sb_err *err);
int sb_archive_end(struct sb_archive *archive, struct sb_err *err);
int sb_archive_put(struct sb_archive *archive, const char *name, const void *data, size_t len,
		   struct sb_err *err);
int sb_archive_finish(struct sb_archive *archive, struct sb_err *err);
void sb_archive_done(struct sb_archive *archive);

#endif /* SB_IMAGES_ARCHIVE_H */
