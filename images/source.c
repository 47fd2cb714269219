/* SPDX-License-Identifier: Apache-2.0 */
/* source.c - streams of bytes that are pulled in pieces */
#include "images/source.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "images/hash.h"
#include "images/transfer.h"
#include "runtime/base/err.h"

static ssize_t mem_next(struct sb_source *base, const uint8_t **ret, struct sb_err *err)
{
	struct sb_mem_source *s = (struct sb_mem_source *)base;
	size_t n = s->len < s->piece ? s->len : s->piece;

	(void)err;
	*ret = s->data;
	s->data += n;
	s->len -= n;
	return (ssize_t)n;
}

/**
 * sb_source_from_memory() - A stream over bytes in memory
 * @source:	caller's memory
 * @data:	borrowed for as long as the stream is used
 * @len:	how many bytes
 * @piece:	most bytes handed out at once, > 0
 */
void sb_source_from_memory(struct sb_mem_source *source, const void *data, size_t len, size_t piece)
{
	*source = (struct sb_mem_source){
		.base.next = mem_next, .data = data, .len = len, .piece = piece
	};
}

/* Wait until the growing file has something at our offset; *@want becomes what there is at most. */
static int await_bytes(const struct sb_file_source *source, size_t *want, struct sb_err *err)
{
	uint64_t have = 0;
	int r = sb_transfer_wait(source->transfer, (uint64_t)source->offset, &have);

	if (r < 0)
		return sb_err_set(err, -r, "download");
	/* Of what is complete, the file itself tells whether it is long enough. */
	if (have > (uint64_t)source->offset && have - (uint64_t)source->offset < *want)
		*want = (size_t)(have - (uint64_t)source->offset);
	return 0;
}

/**
 * sb_source_read_file() - Read the next bytes of a file stream into memory of the caller
 * @source:	stream
 * @buf:	where to
 * @size:	most bytes; filled whole unless the stream ends
 *
 * Return: how many, 0 at the end, or a negative errno value (-EPROTO: the file is shorter than the
 * stream was said to be)
 */
ssize_t sb_source_read_file(struct sb_file_source *source, uint8_t *buf, size_t size,
			    struct sb_err *err)
{
	size_t len = 0;

	while (len < size && source->left > 0) {
		size_t want = size - len < source->left ? size - len : (size_t)source->left;
		ssize_t n;

		if (source->transfer && await_bytes(source, &want, err) < 0)
			return -err->code;
		n = source->offset < 0 ? read(source->fd, buf + len, want)
				       : pread(source->fd, buf + len, want, source->offset);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return sb_err_set(err, errno, "read");
		if (n == 0 && source->left != SB_SOURCE_TO_END)
			return sb_err_refuse(err, EPROTO, "the file ends too early");
		if (n == 0)
			source->left = 0;
		if (source->left != SB_SOURCE_TO_END)
			source->left -= (uint64_t)n;
		if (source->offset >= 0)
			source->offset += n;
		len += (size_t)n;
	}
	if (source->hash)
		sb_hash_update(source->hash, buf, len);
	return (ssize_t)len;
}

static ssize_t file_next(struct sb_source *base, const uint8_t **ret, struct sb_err *err)
{
	struct sb_file_source *s = (struct sb_file_source *)base;

	*ret = s->buf;
	return sb_source_read_file(s, s->buf, s->buf_size, err);
}

/* Only for streams that nobody hashes and that can seek. */
static int file_skip(struct sb_source *base, uint64_t len, struct sb_err *err)
{
	struct sb_file_source *s = (struct sb_file_source *)base;

	if (len > s->left)
		return sb_err_refuse(err, EPROTO, "the file ends too early");
	s->left -= len;
	s->offset += (off_t)len;
	return 0;
}

/**
 * sb_source_from_file() - A stream over a part of a file
 * @source:	caller's memory; set @buf, @buf_size and @hash afterwards where they are needed
 * @fd:		borrowed
 * @offset:	first byte; -1 for a pipe
 * @len:	how many bytes; SB_SOURCE_TO_END for all there are
 */
void sb_source_from_file(struct sb_file_source *source, int fd, off_t offset, uint64_t len)
{
	*source = (struct sb_file_source){
		.base.next = file_next, .fd = fd, .offset = offset, .left = len
	};
	if (offset >= 0 && len != SB_SOURCE_TO_END)
		source->base.skip = file_skip;
}

/**
 * sb_source_from_span() - A stream over the bytes of a span
 * @source:	caller's memory; set @buf, @buf_size and @hash afterwards where they are needed
 * @span:	copied; its file and transfer are borrowed
 */
void sb_source_from_span(struct sb_file_source *source, const struct sb_span *span)
{
	sb_source_from_file(source, span->fd, span->offset, span->size);
	source->transfer = span->transfer;
}

/**
 * sb_span_done() - Close the file of a span if it is owned
 * @span:	span
 */
void sb_span_done(struct sb_span *span)
{
	if (span->owned)
		(void)close(span->fd);
	span->owned = false;
}
