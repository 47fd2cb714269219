/* SPDX-License-Identifier: Apache-2.0 */
/*
 * decoder.c - compressed streams: which kind one is, and its bytes decompressed
 *
 * Labels of layers are often wrong (a plain tar called "tar+gzip"), so the data decides, as it does
 * for docker, podman and containerd.
 */
#include "images/decoder.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "images/inflate.h"
#include "images/source.h"
#include "images/zstd.h"

#define MAGIC_BYTES 4

/**
 * sb_decoder_sniff() - Find out how a stream is compressed, whatever its label says
 * @from:	stream over a file that can seek; it stays where it is
 * @ret:	the format; zstd also for a skippable frame in front (RFC 8878 section 3.1.2)
 *
 * Return: 0, or a negative errno value
 */
int sb_decoder_sniff(const struct sb_file_source *from, enum sb_format *ret, struct sb_err *err)
{
	static const uint8_t gzip[] = { 0x1f, 0x8b };             /* RFC 1952 section 2.3.1 */
	static const uint8_t zstd[] = { 0x28, 0xb5, 0x2f, 0xfd }; /* RFC 8878 section 3.1.1 */
	static const uint8_t skippable[] = { 0x2a, 0x4d, 0x18 };  /* after 0x50 to 0x5f */
	struct sb_file_source copy = *from;
	uint8_t magic[MAGIC_BYTES] = { 0 };
	ssize_t n;

	copy.hash = NULL;
	n = sb_source_read_file(&copy, magic, sizeof(magic), err);
	if (n < 0)
		return (int)n;
	if (!memcmp(magic, gzip, sizeof(gzip)))
		*ret = SB_FORMAT_GZIP;
	else if (!memcmp(magic, zstd, sizeof(zstd)) ||
		 ((magic[0] & 0xf0) == 0x50 && !memcmp(magic + 1, skippable, sizeof(skippable))))
		*ret = SB_FORMAT_ZSTD;
	else
		*ret = SB_FORMAT_PLAIN;
	return 0;
}

/**
 * sb_decoder_new() - Start to read a compressed stream
 * @format:	what sb_decoder_sniff() has found; not SB_FORMAT_PLAIN
 * @from:	compressed bytes; borrowed for as long as the result is used
 *
 * Return: freed with sb_decoder_free(), or NULL with @err set (-ENOMEM)
 */
struct sb_decoder *sb_decoder_new(enum sb_format format, struct sb_source *from, struct sb_err *err)
{
	assert(format != SB_FORMAT_PLAIN);
	return format == SB_FORMAT_GZIP ? sb_inflate_new(from, err) : sb_zstd_new(from, err);
}

/**
 * sb_decoder_free() - End reading
 * @decoder:	stream, or NULL
 */
void sb_decoder_free(struct sb_decoder *decoder)
{
	if (decoder)
		decoder->free(decoder);
}

/**
 * sb_decoder_read() - The next decompressed bytes
 * @decoder:	stream
 * @buf:	where to
 * @size:	most bytes; filled whole unless the stream ends
 *
 * Return: how many, 0 at the end, or a negative errno value (-EPROTO: not of that format, broken or
 * cut)
 */
ssize_t sb_decoder_read(struct sb_decoder *decoder, uint8_t *buf, size_t size, struct sb_err *err)
{
	return decoder->read(decoder, buf, size, err);
}
