/* SPDX-License-Identifier: Apache-2.0 */
/*
 * inflate.h - gzip, streaming, by libisal (or zlib where that is missing)
 */
#ifndef SB_IMAGES_INFLATE_H
#define SB_IMAGES_INFLATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct sb_err;
struct sb_inflate;
struct sb_source;

int sb_inflate_sniff(int fd, off_t offset, uint64_t size, bool *ret_gzip, struct sb_err *err);
struct sb_inflate *sb_inflate_new(struct sb_source *from, struct sb_err *err);
void sb_inflate_free(struct sb_inflate *z);
ssize_t sb_inflate_read(struct sb_inflate *z, uint8_t *buf, size_t size, struct sb_err *err);

static inline void sb_cleanup_inflate(struct sb_inflate **z)
{
	sb_inflate_free(*z);
}
#define _cleanup_inflate_ __attribute__((cleanup(sb_cleanup_inflate)))

#endif /* SB_IMAGES_INFLATE_H */
