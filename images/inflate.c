/* SPDX-License-Identifier: Apache-2.0 */
/*
 * inflate.c - gzip, streaming, by libisal (or zlib where that is missing)
 *
 * RFC 1952: a file may be a series of members, which are decompressed to the concatenation of their
 * contents. Zero bytes after the last member are padding (tapes, tar's blocking); anything else
 * there is refused. libisal is 2.4 times as fast as zlib; it exists for amd64 and arm64.
 */
#include "images/inflate.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#ifdef SB_HAVE_ISAL
#include <isa-l/igzip_lib.h>
#else
#include <zlib.h>
#endif

#include "images/decoder.h"
#include "images/source.h"
#include "runtime/base/err.h"

#define GZIP_MAGIC 0x1f /* first byte of a member, RFC 1952 section 2.3.1 */

/**
 * struct inflate - a gzip stream being read
 * @base:	the stream
 * @from:	compressed bytes, borrowed
 * @started:	a member was seen
 * @in_member:	inside a member, as opposed to between two
 * @padding:	zero bytes were seen after a member
 * @eof:	@from has ended
 * @s:		state of the library, with what is left of the last piece of @from
 */
struct inflate {
	struct sb_decoder base;
	struct sb_source *from;
	bool started;
	bool in_member;
	bool padding;
	bool eof;
#ifdef SB_HAVE_ISAL
	struct inflate_state s;
#else
	z_stream s;
#endif
};

#ifdef SB_HAVE_ISAL

static int codec_init(struct inflate *z)
{
	isal_inflate_init(&z->s);
	return 0;
}

static void codec_done(struct inflate *z)
{
	(void)z;
}

static int codec_begin_member(struct inflate *z)
{
	isal_inflate_reset(&z->s);
	z->s.crc_flag = ISAL_GZIP;
	return 0;
}

/* Return: 1 at the end of the member, 0 if it goes on, < 0 if it is broken. */
static int codec_step(struct inflate *z)
{
	if (isal_inflate(&z->s) < 0)
		return -1;
	return z->s.block_state == ISAL_BLOCK_FINISH;
}

#else

#define GZIP_ONLY (15 + 16) /* inflateInit2(): largest window, gzip header */

static int codec_init(struct inflate *z)
{
	return inflateInit2(&z->s, GZIP_ONLY) == Z_OK ? 0 : -1;
}

static void codec_done(struct inflate *z)
{
	(void)inflateEnd(&z->s);
}

static int codec_begin_member(struct inflate *z)
{
	return inflateReset(&z->s) == Z_OK ? 0 : -1;
}

static int codec_step(struct inflate *z)
{
	int r = inflate(&z->s, Z_NO_FLUSH);

	if (r == Z_STREAM_END)
		return 1;
	/* Z_BUF_ERROR: nothing to do without more input or room; the caller looks at progress. */
	return r == Z_OK || r == Z_BUF_ERROR ? 0 : -1;
}

#endif

static int refill(struct inflate *z, struct sb_err *err)
{
	const uint8_t *piece;
	ssize_t n;

	if (z->s.avail_in > 0 || z->eof)
		return 0;
	n = z->from->next(z->from, &piece, err);
	if (n < 0)
		return (int)n;
	z->eof = n == 0;
	z->s.next_in = (uint8_t *)(uintptr_t)piece; /* neither library writes to it */
	z->s.avail_in = (uint32_t)n;
	return 0;
}

/* Return: 1 if a member begins here, 0 at the end of the stream, or a negative errno value. */
static int find_member(struct inflate *z, struct sb_err *err)
{
	for (;;) {
		if (refill(z, err) < 0)
			return -err->code;
		if (z->eof && !z->started)
			return sb_err_refuse(err, EPROTO, "gzip data ends too early");
		if (z->eof)
			return 0;
		if (z->started && *z->s.next_in == 0) {
			z->padding = true;
			z->s.next_in++;
			z->s.avail_in--;
			continue;
		}
		if (z->padding || *z->s.next_in != GZIP_MAGIC)
			return sb_err_refuse(err, EPROTO, "%s",
					     z->started ? "garbage after the gzip data"
							: "not gzip data");
		z->started = true;
		z->in_member = true;
		return codec_begin_member(z) < 0 ? sb_err_set(err, ENOMEM, "start to decompress")
						 : 1;
	}
}

static ssize_t inflate_read(struct sb_decoder *base, uint8_t *buf, size_t size, struct sb_err *err)
{
	struct inflate *z = (struct inflate *)base;

	z->s.next_out = buf;
	z->s.avail_out = (uint32_t)size;
	while (z->s.avail_out > 0) {
		uint32_t in, out;
		int r = z->in_member ? 1 : find_member(z, err);

		if (r == 0)
			break;
		if (r < 0 || refill(z, err) < 0)
			return -err->code;
		in = z->s.avail_in;
		out = z->s.avail_out;
		r = codec_step(z);
		if (r < 0)
			return sb_err_refuse(err, EPROTO, "gzip data is corrupt");
		z->in_member = r == 0;
		/* At the end of the input the library may still hold output: only no progress at
		 * all means that the rest is missing. */
		if (r == 0 && in == z->s.avail_in && out == z->s.avail_out)
			return sb_err_refuse(err, EPROTO, "gzip data %s",
					     z->eof ? "ends too early" : "is corrupt");
	}
	return (ssize_t)(size - z->s.avail_out);
}

static void inflate_free(struct sb_decoder *base)
{
	struct inflate *z = (struct inflate *)base;

	codec_done(z);
	free(z);
}

/**
 * sb_inflate_new() - Start to read a gzip stream
 * @from:	compressed bytes; borrowed for as long as the result is used
 *
 * Return: freed with sb_decoder_free(), or NULL with @err set
 */
struct sb_decoder *sb_inflate_new(struct sb_source *from, struct sb_err *err)
{
	struct inflate *z = calloc(1, sizeof(*z));

	if (!z || codec_init(z) < 0) {
		free(z);
		(void)sb_err_set(err, ENOMEM, "start to decompress");
		return NULL;
	}
	z->base = (struct sb_decoder){ .read = inflate_read, .free = inflate_free };
	z->from = from;
	return &z->base;
}
