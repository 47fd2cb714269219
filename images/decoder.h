/* SPDX-License-Identifier: Apache-2.0 */
/*
 * decoder.h - compressed streams: which kind one is, and its bytes decompressed
 */
#ifndef SB_IMAGES_DECODER_H
#define SB_IMAGES_DECODER_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct sb_err;
struct sb_file_source;
struct sb_source;

enum sb_format {
	SB_FORMAT_PLAIN, /* not compressed, as far as we know */
	SB_FORMAT_GZIP,
	SB_FORMAT_ZSTD,
};

/**
 * struct sb_decoder - a compressed stream being read; first member of whatever implements one
 * @read:	see sb_decoder_read()
 * @free:	end reading
 */
struct sb_decoder {
	ssize_t (*read)(struct sb_decoder *decoder, uint8_t *buf, size_t size, struct sb_err *err);
	void (*free)(struct sb_decoder *decoder);
};

int sb_decoder_sniff(const struct sb_file_source *from, enum sb_format *ret, struct sb_err *err);
struct sb_decoder *sb_decoder_new(enum sb_format format, struct sb_source *from,
				  struct sb_err *err);
void sb_decoder_free(struct sb_decoder *decoder);
ssize_t sb_decoder_read(struct sb_decoder *decoder, uint8_t *buf, size_t size, struct sb_err *err);

static inline void sb_cleanup_decoder(struct sb_decoder **decoder)
{
	sb_decoder_free(*decoder);
}
#define _cleanup_decoder_ __attribute__((cleanup(sb_cleanup_decoder)))

#endif /* SB_IMAGES_DECODER_H */
