/* SPDX-License-Identifier: Apache-2.0 */
/*
 * split.c - what a layer's tar has around the files: recorded while it is unpacked
 *
 * DOC: Theory of operation
 *
 * The store keeps layers as directories only. A tar can't be made from these again: its order, its
 * kinds of headers and its filling are gone, and with one byte changed its digest is another. So
 * the unpacker records every byte that does not become content of a file, and for content where it
 * lies. split_replay.c joins the two.
 *
 * The record is a zstd stream of MAGIC and then, in the order of the tar,
 *   'R' length (4 bytes) bytes               bytes of the tar as they are
 *   'C' length (2) path offset (8) len (8)   content of a file of the layer; an empty path is that
 *                                            of the record before
 * with numbers little-endian. Headers are much alike: it takes some percent of their size.
 *
 * Content is named by path, so it must still be there at the end. A tar with two entries of one
 * path, which no builder makes on purpose, can be unpacked, but the first content is lost: its
 * record is then no stream but the text "replaced PATH", and the layer can't be saved.
 */
#include "images/split.h"

#include <assert.h>
#include <endian.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <zstd.h>

#include "images/limits.h"
#include "images/split_format.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"

#define BUF_BYTES  (64 << 10)
#define LEVEL      1
#define WINDOW_LOG 17 /* 128 KiB: some hundred headers, and little memory */

#define CLOSED SIZE_MAX

static_assert(BUF_BYTES > 2 * SB_LAYER_PATH_SIZE, "a record fits into the buffer");

/**
 * struct sb_split - a record being written
 * @fd:		file it goes to, borrowed
 * @ctx:	compressor
 * @out:	what it has compressed
 * @out_size:	room there
 * @spoiled:	@path was replaced: the record will be of no use
 * @path:	file of the last content
 * @is_new:	@path was not written yet
 * @offset:	where the content begins that was not written yet
 * @content:	length of that; 0 if there is none
 * @raw_at:	where the last record begins in @buf, if more bytes can be added to it; else CLOSED
 * @len:	bytes in @buf
 * @buf:	records not yet compressed
 */
struct sb_split {
	int fd;
	ZSTD_CCtx *ctx;
	char *out;
	size_t out_size;
	bool spoiled;
	char path[SB_LAYER_PATH_SIZE];
	bool is_new;
	uint64_t offset;
	uint64_t content;
	size_t raw_at;
	size_t len;
	char buf[BUF_BYTES];
};

/**
 * sb_split_new() - Begin a record
 * @fd:		empty file; borrowed for as long as the result is used
 *
 * Return: freed with sb_split_free(), or NULL with @err set
 */
struct sb_split *sb_split_new(int fd, struct sb_err *err)
{
	struct sb_split *s = calloc(1, sizeof(*s));

	if (s) {
		s->fd = fd;
		s->raw_at = CLOSED;
		s->ctx = ZSTD_createCCtx();
		s->out_size = ZSTD_CStreamOutSize();
		s->out = malloc(s->out_size);
	}
	if (!s || !s->ctx || !s->out ||
	    ZSTD_isError(ZSTD_CCtx_setParameter(s->ctx, ZSTD_c_compressionLevel, LEVEL)) ||
	    ZSTD_isError(ZSTD_CCtx_setParameter(s->ctx, ZSTD_c_windowLog, WINDOW_LOG)) ||
	    ZSTD_isError(ZSTD_CCtx_setParameter(s->ctx, ZSTD_c_checksumFlag, 1))) {
		sb_split_free(s);
		(void)sb_err_set(err, ENOMEM, "record a layer");
		return NULL;
	}
	s->len = sizeof(SB_SPLIT_MAGIC) - 1;
	memcpy(s->buf, SB_SPLIT_MAGIC, s->len);
	return s;
}

/**
 * sb_split_free() - End a record, whole or not
 * @split:	record, or NULL
 */
void sb_split_free(struct sb_split *split)
{
	if (!split)
		return;
	(void)ZSTD_freeCCtx(split->ctx);
	free(split->out);
	free(split);
}

static int write_out(struct sb_split *s, const void *data, size_t len, struct sb_err *err)
{
	int r = sb_write_all(s->fd, data, len);

	return r < 0 ? sb_err_set(err, -r, "write the record of the layer") : 0;
}

static void close_raw(struct sb_split *s)
{
	uint32_t len;

	if (s->raw_at == CLOSED)
		return;
	len = htole32((uint32_t)(s->len - s->raw_at - SB_SPLIT_RAW_HEAD));
	memcpy(s->buf + s->raw_at + 1, &len, sizeof(len));
	s->raw_at = CLOSED;
}

/* Compress and write what is in the buffer. */
static int flush(struct sb_split *s, ZSTD_EndDirective mode, struct sb_err *err)
{
	ZSTD_inBuffer in = { .src = s->buf };
	size_t left;

	close_raw(s);
	in.size = s->len;
	do {
		ZSTD_outBuffer out = { .dst = s->out, .size = s->out_size };

		left = ZSTD_compressStream2(s->ctx, &out, &in, mode);
		if (ZSTD_isError(left))
			return sb_err_set(err, ENOMEM, "compress the record of the layer");
		if (out.pos > 0 && write_out(s, s->out, out.pos, err) < 0)
			return -err->code;
	} while (in.pos < in.size || (mode == ZSTD_e_end && left > 0));
	s->len = 0;
	return 0;
}

static void put(struct sb_split *s, const void *data, size_t len)
{
	memcpy(s->buf + s->len, data, len);
	s->len += len;
}

/* Write down the content that was gathered. */
static int close_content(struct sb_split *s, struct sb_err *err)
{
	size_t path_len = s->is_new ? strlen(s->path) : 0;
	uint64_t offset = htole64(s->offset), len = htole64(s->content);
	uint16_t path_len_le = htole16((uint16_t)path_len);

	if (s->content == 0)
		return 0;
	close_raw(s);
	if (s->len + SB_SPLIT_CONTENT_HEAD + path_len > BUF_BYTES &&
	    flush(s, ZSTD_e_continue, err) < 0)
		return -err->code;
	s->buf[s->len++] = SB_SPLIT_CONTENT;
	put(s, &path_len_le, sizeof(path_len_le));
	put(s, s->path, path_len);
	put(s, &offset, sizeof(offset));
	put(s, &len, sizeof(len));
	s->is_new = false;
	s->content = 0;
	return 0;
}

/**
 * sb_split_add_raw() - Record bytes of the tar that are no content
 * @split:	record, or NULL: nothing is done
 * @data:	bytes
 * @len:	how many
 *
 * Return: 0, or a negative errno value
 */
int sb_split_add_raw(struct sb_split *split, const void *data, size_t len, struct sb_err *err)
{
	struct sb_split *s = split;
	const char *p = data;

	if (!s || s->spoiled || len == 0)
		return 0;
	if (close_content(s, err) < 0)
		return -err->code;
	while (len > 0) {
		size_t n;

		/* Room for a head and a byte, at least. */
		if (BUF_BYTES - s->len <= SB_SPLIT_RAW_HEAD && flush(s, ZSTD_e_continue, err) < 0)
			return -err->code;
		if (s->raw_at == CLOSED) {
			s->raw_at = s->len;
			s->buf[s->len] = SB_SPLIT_RAW;
			s->len += SB_SPLIT_RAW_HEAD;
		}
		n = BUF_BYTES - s->len < len ? BUF_BYTES - s->len : len;
		put(s, p, n);
		p += n;
		len -= n;
	}
	return 0;
}

/**
 * sb_split_add_content() - Record that the next bytes of the tar are content of a file
 * @split:	record, or NULL: nothing is done
 * @path:	cleaned path of the file in the layer
 * @offset:	where in the file
 * @len:	bytes
 *
 * Return: 0, or a negative errno value
 */
int sb_split_add_content(struct sb_split *split, const char *path, uint64_t offset, uint64_t len,
			 struct sb_err *err)
{
	struct sb_split *s = split;
	bool same;

	if (!s || s->spoiled)
		return 0;
	same = !strcmp(s->path, path);
	if (same && s->content > 0 && offset == s->offset + s->content) {
		s->content += len;
		return 0;
	}
	if (close_content(s, err) < 0)
		return -err->code;
	if (!same) {
		memcpy(s->path, path, strlen(path) + 1);
		s->is_new = true;
	}
	s->offset = offset;
	s->content = len;
	return 0;
}

/**
 * sb_split_spoil() - Say that content which was recorded is about to be lost
 * @split:	record, or NULL: nothing is done
 * @path:	the entry that takes its place
 */
void sb_split_spoil(struct sb_split *split, const char *path)
{
	if (!split || split->spoiled)
		return;
	split->spoiled = true;
	memcpy(split->path, path, strlen(path) + 1);
}

/**
 * sb_split_finish() - Write what is left of a record
 * @split:	record, or NULL: nothing is done; only to be freed afterwards
 *
 * Return: 0, or a negative errno value
 */
int sb_split_finish(struct sb_split *split, struct sb_err *err)
{
	if (!split)
		return 0;
	if (!split->spoiled)
		return close_content(split, err) < 0 ? -err->code : flush(split, ZSTD_e_end, err);
	if (ftruncate(split->fd, 0) < 0 || lseek(split->fd, 0, SEEK_SET) < 0)
		return sb_err_set(err, errno, "write the record of the layer");
	if (write_out(split, SB_SPLIT_REPLACED, sizeof(SB_SPLIT_REPLACED) - 1, err) < 0)
		return -err->code;
	return write_out(split, split->path, strlen(split->path), err);
}
