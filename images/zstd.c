/* SPDX-License-Identifier: Apache-2.0 */
/*
 * zstd.c - zstd, streaming, by libzstd
 *
 * RFC 8878: a file is a series of frames, decompressed to the concatenation of their contents;
 * skippable frames have none. zstd:chunked keeps its table of contents in such frames, so its
 * layers are read like any other.
 */
#include "images/zstd.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

#include <zstd.h>

#include "images/decoder.h"
#include "images/source.h"
#include "runtime/base/err.h"

/* Memory a frame may ask for: 128 MiB, what `zstd -d` takes without --long, and as many layers at
 * once as there are workers (unpack.c). The levels that builders use, up to 19, ask for 8 MiB at
 * most. */
#define WINDOW_LOG_MAX 27

/* A zstd stream being read; @in is what is left of the last piece of @from. */
struct unzstd {
	struct sb_decoder base;
	struct sb_source *from;
	ZSTD_DCtx *ctx;
	ZSTD_inBuffer in;
	bool in_frame;
	bool started;
	bool eof;
};

static int refill(struct unzstd *z, struct sb_err *err)
{
	const uint8_t *piece;
	ssize_t n;

	if (z->in.pos < z->in.size || z->eof)
		return 0;
	n = z->from->next(z->from, &piece, err);
	if (n < 0)
		return (int)n;
	z->eof = n == 0;
	z->in = (ZSTD_inBuffer){ .src = piece, .size = (size_t)n };
	return 0;
}

static ssize_t zstd_read(struct sb_decoder *base, uint8_t *buf, size_t size, struct sb_err *err)
{
	struct unzstd *z = (struct unzstd *)base;
	ZSTD_outBuffer out = { .dst = buf, .size = size };

	while (out.pos < out.size) {
		size_t before = out.pos, r;

		if (refill(z, err) < 0)
			return -err->code;
		if (z->eof && z->started && !z->in_frame)
			break;
		r = ZSTD_decompressStream(z->ctx, &out, &z->in);
		if (ZSTD_isError(r))
			return sb_err_refuse(err, EPROTO, "zstd data is corrupt: %.60s",
					     ZSTD_getErrorName(r));
		/* The library may hold output of a frame whose input it has: only no progress means
		 * that the rest is missing. */
		if (z->eof && out.pos == before)
			return sb_err_refuse(err, EPROTO, "zstd data ends too early");
		z->started = true;
		z->in_frame = r != 0;
	}
	return (ssize_t)out.pos;
}

static void zstd_free(struct sb_decoder *base)
{
	struct unzstd *z = (struct unzstd *)base;

	(void)ZSTD_freeDCtx(z->ctx);
	free(z);
}

/**
 * sb_zstd_new() - Start to read a zstd stream
 * @from:	compressed bytes; borrowed for as long as the result is used
 *
 * Return: freed with sb_decoder_free(), or NULL with @err set
 */
struct sb_decoder *sb_zstd_new(struct sb_source *from, struct sb_err *err)
{
	struct unzstd *z = calloc(1, sizeof(*z));

	if (z)
		z->ctx = ZSTD_createDCtx();
	if (!z || !z->ctx ||
	    ZSTD_isError(ZSTD_DCtx_setParameter(z->ctx, ZSTD_d_windowLogMax, WINDOW_LOG_MAX))) {
		if (z)
			(void)ZSTD_freeDCtx(z->ctx);
		free(z);
		(void)sb_err_set(err, ENOMEM, "start to decompress");
		return NULL;
	}
	z->base = (struct sb_decoder){ .read = zstd_read, .free = zstd_free };
	z->from = from;
	return &z->base;
}
