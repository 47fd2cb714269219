/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reader.h - where manifests, indexes and configs come from
 */
#ifndef SB_IMAGES_READER_H
#define SB_IMAGES_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sb_err;

/**
 * struct sb_blob_wanted - a small blob
 * @digest:		valid digest
 * @size:		bytes it should have
 * @is_manifest:	it is a manifest or an index
 */
struct sb_blob_wanted {
	const char *digest;
	uint64_t size;
	bool is_manifest;
};

/**
 * struct sb_blob_reader - where small blobs come from: an archive or a registry
 * @read:	get all bytes of a blob; the caller frees *@ret and verifies it
 * @ctx:	passed to it
 */
struct sb_blob_reader {
	int (*read)(void *ctx, const struct sb_blob_wanted *wanted, char **ret, size_t *ret_len,
		    struct sb_err *err);
	void *ctx;
};

#endif /* SB_IMAGES_READER_H */
