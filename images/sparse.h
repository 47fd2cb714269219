/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sparse.h - where the content of a tar entry belongs in its file
 *
 * A sparse file lies in a tar as a map and the data between its holes. A plain file has a map too,
 * of one piece, so that whoever reads content does so in one way.
 */
#ifndef SB_IMAGES_SPARSE_H
#define SB_IMAGES_SPARSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sb_err;
struct sb_header;

#define SB_SPARSE_BLOCK_BYTES 512

/**
 * struct sb_sparse_piece - data without a hole
 * @offset:	where it belongs in the file
 * @len:	bytes
 */
struct sb_sparse_piece {
	uint64_t offset;
	uint64_t len;
};

/**
 * struct sb_sparse - the map of one entry, as it is taken in and then as its content is read
 * @max:	most pieces it may have
 * @used:	the entry is a sparse file
 * @text:	version 1.0: the map is still to come, at the head of the content
 * @in_text:	a part of that was taken over
 * @has_size:	@real_size is set
 * @has_count:	@count is set
 * @has_offset:	@offset is set
 * @major:	version of the format
 * @minor:	likewise
 * @real_size:	bytes of the file
 * @count:	pieces announced
 * @offset:	of a piece whose length is still to come
 * @number:	number being read from the text of version 1.0
 * @digits:	of it
 * @v:		pieces; owned
 * @n:		how many
 * @size:	how many there is room for
 * @next:	piece being read; what was read of it is taken off its front
 */
struct sb_sparse {
	size_t max;
	bool used;
	bool text;
	bool in_text;
	bool has_size;
	bool has_count;
	bool has_offset;
	uint64_t major;
	uint64_t minor;
	uint64_t real_size;
	uint64_t count;
	uint64_t offset;
	uint64_t number;
	unsigned int digits;
	struct sb_sparse_piece *v;
	size_t n;
	size_t size;
	size_t next;
};

int sb_sparse_take_record(struct sb_sparse *map, const char *key, const char *value,
			  struct sb_err *err);
int sb_sparse_take_header(struct sb_sparse *map, const struct sb_header *header,
			  struct sb_err *err);
int sb_sparse_take_extension(struct sb_sparse *map, const char *block, struct sb_err *err);
int sb_sparse_take_text(struct sb_sparse *map, const char *block, struct sb_err *err);
int sb_sparse_finish(struct sb_sparse *map, uint64_t stored, uint64_t size_max, uint64_t *ret_size,
		     struct sb_err *err);
int sb_sparse_set_whole(struct sb_sparse *map, uint64_t size, struct sb_err *err);
uint64_t sb_sparse_room(struct sb_sparse *map, uint64_t *ret_offset);
void sb_sparse_advance(struct sb_sparse *map, uint64_t len);
void sb_sparse_reset(struct sb_sparse *map);
void sb_sparse_done(struct sb_sparse *map);

#endif /* SB_IMAGES_SPARSE_H */
