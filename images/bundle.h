/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bundle.h - files of an image by name, whether it is a directory, a tar, a stream or fetched
 */
#ifndef SB_IMAGES_BUNDLE_H
#define SB_IMAGES_BUNDLE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "images/source.h"
#include "images/transfer.h"

struct sb_bundle;
struct sb_err;

struct sb_bundle *sb_bundle_new(int source_fd, int spool_dirfd, struct sb_err *err);
struct sb_bundle *sb_bundle_new_fetched(const struct sb_fetched *blobs, size_t n,
					struct sb_err *err);
void sb_bundle_free(struct sb_bundle *bundle);
int sb_bundle_find(const struct sb_bundle *bundle, const char *name, struct sb_span *ret,
		   struct sb_err *err);
void sb_bundle_cancel(const struct sb_bundle *bundle);
int sb_bundle_read(struct sb_bundle *bundle, const char *name, size_t max, char **ret,
		   size_t *ret_len, struct sb_err *err);

static inline void sb_cleanup_bundle(struct sb_bundle **bundle)
{
	sb_bundle_free(*bundle);
}
#define _cleanup_bundle_ __attribute__((cleanup(sb_cleanup_bundle)))

#endif /* SB_IMAGES_BUNDLE_H */
