/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sparse.c - where the content of a tar entry belongs in its file
 *
 * Four formats (GNU tar manual, "Storing Sparse Files"), all by GNU tar, read by everybody:
 *  - type S: offsets and lengths in the header and in blocks that follow it ("oldgnu");
 *  - PAX 0.0: records GNU.sparse.offset and GNU.sparse.numbytes by turns;
 *  - PAX 0.1: one record GNU.sparse.map, and the name in GNU.sparse.name;
 *  - PAX 1.0: the map as lines of text before the content, in whole blocks.
 * The data of all pieces follow each other without a gap, as Go's and libarchive's readers have it.
 *
 * A map is checked whole before any content is read: pieces ascend, don't overlap, lie inside the
 * file, and are together as long as what is stored.
 */
#include "images/sparse.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "images/header.h"
#include "images/limits.h"
#include "runtime/base/err.h"
#include "runtime/base/num.h"

#define FIRST_PIECES 64
#define DIGITS_MAX   19  /* of a number below 2^63 */
#define TAIL_OFFSET  345 /* where old GNU headers part from ustar ones */
#define IN_HEADER    4
#define IN_EXTENSION 21
#define NUMBER_BYTES 12

/* GNU tar manual, "Basic Tar Format": struct sparse */
struct old_piece {
	char offset[NUMBER_BYTES];
	char len[NUMBER_BYTES];
};

/* ibid., struct oldgnu_header, from its byte TAIL_OFFSET on */
struct old_tail {
	char atime[12];
	char ctime[12];
	char archive_offset[12];
	char long_names[4];
	char unused;
	struct old_piece pieces[IN_HEADER];
	char is_extended;
	char real_size[NUMBER_BYTES];
};
_Static_assert(TAIL_OFFSET + sizeof(struct old_tail) <= SB_HEADER_BYTES, "part of a header");

/* ibid., struct sparse_header */
struct old_extension {
	struct old_piece pieces[IN_EXTENSION];
	char is_extended;
	char pad[7];
};
_Static_assert(sizeof(struct old_extension) == SB_SPARSE_BLOCK_BYTES, "one block");

static int broken(struct sb_err *err)
{
	return sb_err_refuse(err, EPROTO, "the map of a sparse file is broken");
}

static int unknown_record(struct sb_err *err)
{
	return sb_err_refuse(err, EPROTO, "extended header: unknown record of a sparse file");
}

static int check_count(const struct sb_sparse *map, uint64_t n, struct sb_err *err)
{
	if (n > map->max)
		return sb_err_refuse(err, EPROTO, "a sparse file has more than %zu pieces",
				     map->max);
	return 0;
}

static int add_piece(struct sb_sparse *map, uint64_t offset, uint64_t len, struct sb_err *err)
{
	if (check_count(map, map->n + 1, err) < 0)
		return -err->code;
	if (map->n == map->size) {
		size_t size = map->size ? map->size * 2 : FIRST_PIECES;
		struct sb_sparse_piece *v = realloc(map->v, size * sizeof(*v));

		if (!v)
			return sb_err_set(err, ENOMEM, "read the map of a sparse file");
		map->v = v;
		map->size = size;
	}
	map->v[map->n++] = (struct sb_sparse_piece){ .offset = offset, .len = len };
	return 0;
}

/* The next number of a list of offsets and lengths. */
static int add_number(struct sb_sparse *map, uint64_t number, struct sb_err *err)
{
	if (!map->has_offset) {
		map->offset = number;
		map->has_offset = true;
		return 0;
	}
	map->has_offset = false;
	return add_piece(map, map->offset, number, err);
}

/* "offset,length,offset,length…" */
static int take_list(struct sb_sparse *map, const char *list, struct sb_err *err)
{
	char digits[DIGITS_MAX + 1];

	if (map->n > 0 || map->has_offset)
		return broken(err);
	for (;;) {
		size_t len = strcspn(list, ",");
		uint64_t number;

		if (len > DIGITS_MAX)
			return broken(err);
		memcpy(digits, list, len);
		digits[len] = '\0';
		if (sb_parse_u64(digits, INT64_MAX, &number) < 0)
			return broken(err);
		if (add_number(map, number, err) < 0)
			return -err->code;
		if (!list[len])
			return map->has_offset ? broken(err) : 0;
		list += len + 1;
	}
}

/**
 * sb_sparse_take_record() - Take over a record of an extended header
 * @map:	map of the entry that the header is for
 * @key:	what follows "GNU.sparse." in its key, not "name"
 * @value:	its value
 *
 * Return: 0, or a negative errno value (-EPROTO: not understood, or over the limit)
 */
int sb_sparse_take_record(struct sb_sparse *map, const char *key, const char *value,
			  struct sb_err *err)
{
	uint64_t number;

	map->used = true;
	if (!strcmp(key, "map"))
		return take_list(map, value, err);
	if (sb_parse_u64(value, INT64_MAX, &number) < 0)
		return unknown_record(err);
	if (!strcmp(key, "size") || !strcmp(key, "realsize")) {
		map->real_size = number;
		map->has_size = true;
		return 0;
	}
	if (!strcmp(key, "numblocks")) {
		map->count = number;
		map->has_count = true;
		return check_count(map, number, err);
	}
	if (!strcmp(key, "offset") || !strcmp(key, "numbytes"))
		return map->has_offset == (key[0] == 'o') ? broken(err)
							  : add_number(map, number, err);
	if (!strcmp(key, "major")) {
		map->major = number;
		map->text = number > 0; /* the maps of 0.0 and 0.1 are records */
		return 0;
	}
	if (strcmp(key, "minor") != 0)
		return unknown_record(err);
	map->minor = number;
	return 0;
}

/* Return: 1 if the list may go on behind these, 0 if it ended in them, or < 0 */
static int take_old(struct sb_sparse *map, const struct old_piece *v, size_t n, struct sb_err *err)
{
	for (size_t i = 0; i < n; i++) {
		const struct sb_header_number number = { INT64_MAX, "a piece of a sparse file" };
		uint64_t offset, len;

		if (!v[i].offset[0] && !v[i].len[0])
			return 0;
		if (sb_header_number(v[i].offset, NUMBER_BYTES, &number, &offset, err) < 0 ||
		    sb_header_number(v[i].len, NUMBER_BYTES, &number, &len, err) < 0 ||
		    add_piece(map, offset, len, err) < 0)
			return -err->code;
	}
	return 1;
}

/**
 * sb_sparse_take_header() - Take over the first pieces of an entry of type S
 * @map:	map
 * @header:	its header
 *
 * Return: 1 if an extension block follows, 0 if not, or a negative errno value (-EPROTO)
 */
int sb_sparse_take_header(struct sb_sparse *map, const struct sb_header *header, struct sb_err *err)
{
	const struct sb_header_number number = { INT64_MAX, "the size of a sparse file" };
	struct old_tail tail;
	int r;

	/* The fields lie where POSIX has the prefix of the name. */
	if (memcmp(header->magic, "ustar ", sizeof(header->magic)) != 0 || map->used)
		return sb_err_refuse(err, EPROTO, "a sparse file of no known format");
	map->used = true;
	memcpy(&tail, (const char *)header + TAIL_OFFSET, sizeof(tail));
	if (sb_header_number(tail.real_size, NUMBER_BYTES, &number, &map->real_size, err) < 0)
		return -err->code;
	map->has_size = true;
	r = take_old(map, tail.pieces, IN_HEADER, err);
	if (r == 0 && tail.is_extended)
		return broken(err);
	return r < 0 ? r : tail.is_extended != 0;
}

/**
 * sb_sparse_take_extension() - Take over further pieces of an entry of type S
 * @map:	map
 * @block:	SB_SPARSE_BLOCK_BYTES that follow the header or another extension block
 *
 * Return: 1 if another one follows, 0 if not, or a negative errno value (-EPROTO)
 */
int sb_sparse_take_extension(struct sb_sparse *map, const char *block, struct sb_err *err)
{
	struct old_extension extension;
	int r;

	memcpy(&extension, block, sizeof(extension));
	r = take_old(map, extension.pieces, IN_EXTENSION, err);
	/* Without this a chain of empty blocks would only end with the tar. */
	if (r == 0 && extension.is_extended)
		return broken(err);
	return r < 0 ? r : extension.is_extended != 0;
}

/* The count first, then offsets and lengths. */
static int add_text_number(struct sb_sparse *map, uint64_t number, struct sb_err *err)
{
	if (map->has_count)
		return add_number(map, number, err);
	map->count = number;
	map->has_count = true;
	return check_count(map, number, err);
}

/**
 * sb_sparse_take_text() - Take over a part of the map of version 1.0
 * @map:	map
 * @block:	SB_SPARSE_BLOCK_BYTES of the content
 *
 * The text is a count and as many pairs, each number on a line; the rest of the last block is
 * filling. Its length is bounded by that of the numbers and the limit of pieces.
 *
 * Return: 1 if it goes on in the next block, 0 when it is complete, or a negative errno value
 * (-EPROTO)
 */
int sb_sparse_take_text(struct sb_sparse *map, const char *block, struct sb_err *err)
{
	if (map->major != 1 || map->minor != 0)
		return sb_err_refuse(err, EPROTO, "sparse format %llu.%llu is not supported",
				     (unsigned long long)map->major,
				     (unsigned long long)map->minor);
	/* Two maps for one file: readers would not agree on which counts. */
	if (!map->in_text && (map->has_count || map->has_offset || map->n > 0))
		return broken(err);
	map->in_text = true;
	for (size_t i = 0; i < SB_SPARSE_BLOCK_BYTES; i++) {
		uint64_t number = map->number;

		if (block[i] >= '0' && block[i] <= '9' && map->digits < DIGITS_MAX) {
			map->number = number * 10 + (uint64_t)(block[i] - '0');
			map->digits++;
			continue;
		}
		if (block[i] != '\n' || map->digits == 0 || number > INT64_MAX)
			return broken(err);
		map->number = 0;
		map->digits = 0;
		if (add_text_number(map, number, err) < 0)
			return -err->code;
		if (map->n == map->count && !map->has_offset) {
			map->text = false;
			return 0;
		}
	}
	return 1;
}

/**
 * sb_sparse_finish() - Check a map of a sparse file that was taken over whole
 * @map:	map
 * @stored:	bytes of content that follow in the tar
 * @size_max:	most bytes the file may have
 * @ret_size:	bytes of the file
 *
 * Return: 0 or -EPROTO
 */
int sb_sparse_finish(struct sb_sparse *map, uint64_t stored, uint64_t size_max, uint64_t *ret_size,
		     struct sb_err *err)
{
	uint64_t end = 0, sum = 0;

	if (!map->has_size || map->has_offset || (map->has_count && map->count != map->n))
		return broken(err);
	if (map->real_size > size_max) {
		sb_err_refuse(err, EPROTO, "a file is longer than %llu bytes",
			      (unsigned long long)size_max);
		return sb_err_hint(err, SB_LAYER_LIMIT_HINT, "tarBytes");
	}
	for (size_t i = 0; i < map->n; i++) {
		const struct sb_sparse_piece *p = &map->v[i];

		/* None of these is above 2^63: no sum can overflow. */
		if (p->offset < end || p->offset > map->real_size ||
		    p->len > map->real_size - p->offset)
			return broken(err);
		end = p->offset + p->len;
		sum += p->len;
	}
	if (sum != stored)
		return sb_err_refuse(err, EPROTO,
				     "the map of a sparse file does not fit its content");
	*ret_size = map->real_size;
	return 0;
}

/**
 * sb_sparse_set_whole() - Make the map of a file that is not sparse
 * @map:	map, just reset
 * @size:	bytes of the file
 *
 * Return: 0 or -ENOMEM
 */
int sb_sparse_set_whole(struct sb_sparse *map, uint64_t size, struct sb_err *err)
{
	return add_piece(map, 0, size, err);
}

/**
 * sb_sparse_room() - Where the next content belongs
 * @map:	checked map
 * @ret_offset:	byte of the file
 *
 * Return: how many bytes lie there without a hole, 0 after the last
 */
uint64_t sb_sparse_room(struct sb_sparse *map, uint64_t *ret_offset)
{
	while (map->next < map->n && map->v[map->next].len == 0)
		map->next++;
	if (map->next == map->n)
		return 0;
	*ret_offset = map->v[map->next].offset;
	return map->v[map->next].len;
}

/**
 * sb_sparse_advance() - Say that content was read
 * @map:	checked map
 * @len:	bytes, no more than sb_sparse_room() said
 */
void sb_sparse_advance(struct sb_sparse *map, uint64_t len)
{
	map->v[map->next].offset += len;
	map->v[map->next].len -= len;
}

/**
 * sb_sparse_reset() - Forget what was said about an entry
 * @map:	empty afterwards; its memory and limit are kept for the next entry
 */
void sb_sparse_reset(struct sb_sparse *map)
{
	*map = (struct sb_sparse){ .max = map->max, .v = map->v, .size = map->size };
}

/**
 * sb_sparse_done() - Free a map
 * @map:	used or not
 */
void sb_sparse_done(struct sb_sparse *map)
{
	free(map->v);
	map->v = NULL;
	map->size = 0;
	sb_sparse_reset(map);
}
