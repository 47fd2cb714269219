/* SPDX-License-Identifier: Apache-2.0 */
/*
 * source.h - streams of bytes that are pulled in pieces
 *
 * The parts of the unpacker are joined by this interface: file → inflate → ring → tar. A piece is
 * borrowed from the source until the next call, so nothing is copied on the way.
 */
#ifndef SB_IMAGES_SOURCE_H
#define SB_IMAGES_SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct sb_err;
struct sb_hash;
struct sb_transfer;

/**
 * struct sb_source - a stream; first member of whatever implements one
 * @next:	the next piece: its length, 0 at the end of the stream, or a negative errno value;
 *		*ret points to it and is valid until the next call
 * @skip:	pass over bytes that are not needed; NULL if they must be pulled
 */
struct sb_source {
	ssize_t (*next)(struct sb_source *source, const uint8_t **ret, struct sb_err *err);
	int (*skip)(struct sb_source *source, uint64_t len, struct sb_err *err);
};

/**
 * struct sb_mem_source - bytes in memory
 * @base:	the stream
 * @data:	what is left, borrowed
 * @len:	bytes left
 * @piece:	most bytes of one piece
 */
struct sb_mem_source {
	struct sb_source base;
	const uint8_t *data;
	size_t len;
	size_t piece;
};

#define SB_SOURCE_TO_END UINT64_MAX

/**
 * struct sb_file_source - a part of a file, or what comes out of a pipe
 * @base:	the stream
 * @fd:		borrowed
 * @offset:	where the next piece lies; -1 for what can't seek
 * @left:	bytes left; SB_SOURCE_TO_END means to the end of the file
 * @buf:	pieces are read into it, borrowed
 * @buf_size:	most bytes of one piece
 * @hash:	gets all bytes as they pass, borrowed; NULL for none
 * @transfer:	the file is still growing: how far it is, borrowed; NULL: it is complete
 */
struct sb_file_source {
	struct sb_source base;
	int fd;
	off_t offset;
	uint64_t left;
	uint8_t *buf;
	size_t buf_size;
	struct sb_hash *hash;
	struct sb_transfer *transfer;
};

/**
 * struct sb_span - where the bytes of a file lie
 * @fd:		open file
 * @owned:	@fd is the caller's to close (sb_span_done())
 * @offset:	first byte
 * @size:	how many
 * @transfer:	they are still coming: how far they are, borrowed; NULL: they are all there
 */
struct sb_span {
	int fd;
	bool owned;
	off_t offset;
	uint64_t size;
	struct sb_transfer *transfer;
};

void sb_source_from_memory(struct sb_mem_source *source, const void *data, size_t len,
			   size_t piece);
void sb_source_from_file(struct sb_file_source *source, int fd, off_t offset, uint64_t len);
void sb_source_from_span(struct sb_file_source *source, const struct sb_span *span);
void sb_span_done(struct sb_span *span);
ssize_t sb_source_read_file(struct sb_file_source *source, uint8_t *buf, size_t size,
			    struct sb_err *err);

#endif /* SB_IMAGES_SOURCE_H */
