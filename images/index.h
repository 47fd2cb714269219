/* SPDX-License-Identifier: Apache-2.0 */
/*
 * index.h - the one image for a platform among those of an index (image-index.md)
 */
#ifndef SB_IMAGES_INDEX_H
#define SB_IMAGES_INDEX_H

#include <stdint.h>

#include <jansson.h>

struct sb_blob_reader;
struct sb_err;
struct sb_platform;

const char *sb_index_name_of(const json_t *descriptor);
int sb_index_choose(const struct sb_blob_reader *from, const json_t *entries, const char *name,
		    const struct sb_platform *platform, json_t **ret, struct sb_err *err);

int sb_index_resolve(const struct sb_blob_reader *from, const char *top, uint64_t size,
		     const struct sb_platform *platform, json_t **ret, struct sb_err *err);

#endif /* SB_IMAGES_INDEX_H */
