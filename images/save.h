/* SPDX-License-Identifier: Apache-2.0 */
/*
 * save.h - images of the store as an archive
 */
#ifndef SB_IMAGES_SAVE_H
#define SB_IMAGES_SAVE_H

#include <stddef.h>
#include <stdint.h>

#include "images/digest.h"
#include "images/reference.h"

struct sb_err;

enum sb_save_format {
	SB_SAVE_OCI,    /* a tar of an OCI layout */
	SB_SAVE_DOCKER, /* as docker save before version 25 */
};

/**
 * struct sb_save - what to save
 * @store_dirfd:	the store, borrowed
 * @format:		kind of archive
 * @references:		images as the user calls them, borrowed
 * @n:			how many
 * @fd:			where the archive goes, a file or a pipe; borrowed
 */
struct sb_save {
	int store_dirfd;
	enum sb_save_format format;
	char *const *references;
	size_t n;
	int fd;
};

/**
 * struct sb_saved - an image of the archive
 * @reference:	full reference; "" if it was called by its digest
 * @digest:	manifest digest, as the archive has it
 */
struct sb_saved {
	char reference[SB_REFERENCE_SIZE];
	char digest[SB_DIGEST_SIZE];
};

int sb_save_run(const struct sb_save *save, struct sb_saved *ret, uint64_t *ret_bytes,
		struct sb_err *err);

#endif /* SB_IMAGES_SAVE_H */
