/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tar.c - reader for tar streams: ustar, PAX, GNU long names and sparse files
 *
 * Formats: POSIX.1-2017 "pax", "ustar Interchange Format" and "pax Interchange Format"; GNU tar
 * manual, "Basic Tar Format" (magic "ustar  ", base-256 numbers, types L and K).
 */
#include "images/tar.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "images/header.h"
#include "images/pax.h"
#include "images/source.h"
#include "images/sparse.h"
#include "images/split.h"
#include "runtime/base/err.h"

#define MAJOR_MAX 0xfff   /* Linux keeps 12 bits of a device's major number… */
#define MINOR_MAX 0xfffff /* …and 20 of its minor */
#define ID_MAX    UINT64_C(0xfffffffe)

/**
 * struct sb_tar - a tar stream being read
 * @from:	bytes, borrowed
 * @limits:	bounds, borrowed
 * @piece:	what is left of the last piece of @from
 * @piece_len:	bytes of it
 * @offset:	bytes of the stream that were consumed
 * @entries:	headers seen
 * @body_left:	content of the current entry that was not read
 * @pad_left:	filling to the next block after it
 * @ended:	the end of the archive was seen
 * @extended:	an extended header waits for its entry
 * @header:	current header
 * @entry:	what sb_tar_next() gives out
 * @pax:	extended headers for the next entry
 * @global:	global extended headers
 * @split:	gets all bytes that are not read as content, borrowed; NULL for nobody
 * @map:	where the content of the current entry belongs in its file
 */
struct sb_tar {
	struct sb_source *from;
	const struct sb_layer_limits *limits;
	const uint8_t *piece;
	size_t piece_len;
	uint64_t offset;
	uint64_t entries;
	uint64_t body_left;
	uint64_t pad_left;
	bool ended;
	bool extended;
	struct sb_header header;
	struct sb_tar_entry entry;
	struct sb_pax pax;
	struct sb_pax global;
	struct sb_split *split;
	struct sb_sparse map;
};

/**
 * sb_tar_new() - Start to read a tar stream
 * @from:	bytes; borrowed for as long as the result is used
 * @limits:	bounds; likewise
 *
 * Return: freed with sb_tar_free(), or NULL with @err set
 */
struct sb_tar *sb_tar_new(struct sb_source *from, const struct sb_layer_limits *limits,
			  struct sb_err *err)
{
	struct sb_tar *tar = calloc(1, sizeof(*tar));

	if (!tar) {
		(void)sb_err_set(err, ENOMEM, "read a tar");
		return NULL;
	}
	tar->from = from;
	tar->limits = limits;
	tar->map.max = limits->sparse_pieces;
	tar->pax.sparse = &tar->map;
	return tar;
}

/**
 * sb_tar_free() - End reading
 * @tar:	stream, or NULL
 */
void sb_tar_free(struct sb_tar *tar)
{
	if (!tar)
		return;
	sb_pax_done(&tar->pax);
	sb_pax_done(&tar->global);
	sb_sparse_done(&tar->map);
	free(tar);
}

/**
 * sb_tar_record() - Have recorded what is needed to make the tar again
 * @tar:	stream of which nothing was read yet
 * @split:	record; borrowed for as long as @tar is used. NULL: none
 */
void sb_tar_record(struct sb_tar *tar, struct sb_split *split)
{
	tar->split = split;
}

static int truncated(struct sb_err *err)
{
	return sb_err_refuse(err, EPROTO, "the tar ends too early");
}

/* Make tar->piece not empty. Return: 1, 0 at the end of the stream, or < 0. */
static int fill(struct sb_tar *tar, struct sb_err *err)
{
	ssize_t n;

	if (tar->piece_len > 0)
		return 1;
	n = tar->from->next(tar->from, &tar->piece, err);
	if (n < 0)
		return (int)n;
	tar->piece_len = (size_t)n;
	return n > 0;
}

/* Up to @max bytes without copying; 0 at the end of the stream. */
static ssize_t take_piece(struct sb_tar *tar, uint64_t max, const uint8_t **ret, struct sb_err *err)
{
	int r = fill(tar, err);
	size_t n;

	if (r <= 0)
		return r;
	n = tar->piece_len < max ? tar->piece_len : (size_t)max;
	*ret = tar->piece;
	tar->piece += n;
	tar->piece_len -= n;
	tar->offset += n;
	return (ssize_t)n;
}

/* Exactly @len bytes. Return: 1, 0 if the stream ends before the first one, or < 0. */
static int take(struct sb_tar *tar, void *buf, size_t len, struct sb_err *err)
{
	size_t have = 0;

	while (have < len) {
		const uint8_t *piece;
		ssize_t n = take_piece(tar, len - have, &piece, err);

		if (n < 0)
			return (int)n;
		if (n == 0)
			return have == 0 ? 0 : truncated(err);
		memcpy((char *)buf + have, piece, (size_t)n);
		have += (size_t)n;
	}
	return sb_split_add_raw(tar->split, buf, len, err) < 0 ? -err->code : 1;
}

static int skip(struct sb_tar *tar, uint64_t len, struct sb_err *err)
{
	while (len > 0) {
		const uint8_t *piece;
		ssize_t n;

		if (tar->piece_len == 0 && tar->from->skip && !tar->split) {
			tar->offset += len;
			return tar->from->skip(tar->from, len, err);
		}
		n = take_piece(tar, len, &piece, err);
		if (n <= 0)
			return n < 0 ? (int)n : truncated(err);
		if (sb_split_add_raw(tar->split, piece, (size_t)n, err) < 0)
			return -err->code;
		len -= (uint64_t)n;
	}
	return 0;
}

/* Step to the next header. Return: 1, 0 at the end of the archive, or < 0. */
static int next_header(struct sb_tar *tar, struct sb_err *err)
{
	int r;

	if (skip(tar, tar->body_left, err) < 0)
		return -err->code;
	tar->body_left = 0;
	if (skip(tar, tar->pad_left, err) < 0)
		return -err->code;
	tar->pad_left = 0;
	r = take(tar, &tar->header, SB_HEADER_BYTES, err);
	if (r > 0 && sb_header_is_zero(&tar->header)) {
		/* Two zero blocks end an archive; some writers end it with one or none. */
		r = take(tar, &tar->header, SB_HEADER_BYTES, err);
		if (r > 0 && !sb_header_is_zero(&tar->header))
			return sb_err_refuse(err, EPROTO, "the tar has a zero block in its midst");
		r = r > 0 ? 0 : r;
	}
	if (r < 0)
		return r;
	if (r == 0) {
		tar->ended = true;
		return tar->extended ? truncated(err) : 0;
	}
	if (++tar->entries > tar->limits->entries) {
		sb_err_refuse(err, EPROTO, "the tar has more than %llu entries",
			      (unsigned long long)tar->limits->entries);
		return sb_err_hint(err, SB_LAYER_LIMIT_HINT, "entries");
	}
	return sb_header_check(&tar->header, err) < 0 ? -err->code : 1;
}

/* Say how much content follows the current header. */
static void begin_body(struct sb_tar *tar, uint64_t size)
{
	tar->body_left = size;
	tar->pad_left = -size & (SB_HEADER_BYTES - 1);
}

/* Use an extended header (types x, g, L, K). */
static int take_extension(struct sb_tar *tar, struct sb_err *err)
{
	const struct sb_header *h = &tar->header;
	struct sb_pax *pax = &tar->pax;
	char *body;
	uint64_t size;
	int r;

	if (SB_HEADER_FIELD(h, size, UINT64_MAX >> 1, &size, "the size of an extended header",
			    err) < 0)
		return -err->code;
	if (size > tar->limits->pax_bytes) {
		sb_err_refuse(err, EPROTO, "an extended header is longer than %zu bytes",
			      tar->limits->pax_bytes);
		return sb_err_hint(err, SB_LAYER_LIMIT_HINT, "paxBytes");
	}
	body = malloc(size + 1);
	if (!body)
		return sb_err_set(err, ENOMEM, "read an extended header");
	begin_body(tar, 0);
	tar->pad_left = -size & (SB_HEADER_BYTES - 1);
	r = take(tar, body, size, err);
	if (r == 0 && size > 0)
		r = truncated(err);
	body[size] = '\0';
	if (r < 0)
		;
	else if (h->type == 'x')
		r = sb_pax_parse(pax, body, size, tar->limits->xattr_bytes, err);
	else if (h->type == 'g')
		r = sb_pax_parse_global(&tar->global, body, size, err);
	else if (h->type == 'L') /* a C string */
		r = sb_pax_set_name(pax->path, &pax->has_path, body, strlen(body), err);
	else
		r = sb_pax_set_name(pax->link, &pax->has_link, body, strlen(body), err);
	free(body);
	if (h->type != 'g')
		tar->extended = true;
	return r;
}

/* The name of an entry as it stands, not cleaned; @buf has room for prefix, slash and name. */
static const char *raw_name(const struct sb_tar *tar, char *buf)
{
	const struct sb_header *h = &tar->header;
	size_t n = 0;

	if (tar->pax.has_path)
		return tar->pax.path;
	/* GNU's "ustar  " uses the space of the prefix for other things. */
	if (!memcmp(h->magic, "ustar", sizeof(h->magic)) && h->prefix[0]) {
		n = strnlen(h->prefix, sizeof(h->prefix));
		memcpy(buf, h->prefix, n);
		buf[n++] = '/';
	}
	memcpy(buf + n, h->name, sizeof(h->name));
	buf[n + sizeof(h->name)] = '\0';
	return buf;
}

/* Names and type of the current entry. */
static int set_names(struct sb_tar *tar, struct sb_err *err)
{
	const struct sb_header *h = &tar->header;
	struct sb_tar_entry *e = &tar->entry;
	char name[sizeof(h->prefix) + 1 + sizeof(h->name) + 1];
	char link[sizeof(h->link) + 1] = "";
	const char *raw = raw_name(tar, name);
	const char *target = tar->pax.has_link ? tar->pax.link : link;
	int type = sb_header_type(h->type);

	if (type < 0)
		return sb_err_refuse(err, EPROTO, "entry type 0x%02x is not supported",
				     (unsigned char)h->type);
	e->type = (enum sb_tar_type)type;
	if (!raw[0])
		return sb_err_refuse(err, EPROTO, "an entry has no name");
	/* Before ustar there was no flag for directories but a slash at the end. */
	if (e->type == SB_TAR_FILE && raw[strlen(raw) - 1] == '/')
		e->type = SB_TAR_DIR;
	if (sb_tar_clean_path(raw, tar->limits->depth, e->path, err) < 0)
		return -err->code;
	memcpy(link, h->link, sizeof(h->link));
	e->link[0] = '\0';
	if (e->type == SB_TAR_HARDLINK)
		return sb_tar_clean_path(target, tar->limits->depth, e->link, err);
	if (e->type != SB_TAR_SYMLINK)
		return 0;
	if (!target[0])
		return sb_err_refuse(err, EPROTO, "a symbolic link has no target");
	memcpy(e->link, target, strlen(target) + 1);
	return 0;
}

static int set_owner(struct sb_tar *tar, struct sb_err *err)
{
	const struct sb_header *h = &tar->header;
	const struct sb_pax *x = &tar->pax, *g = &tar->global;
	uint64_t uid = x->has_uid ? x->uid : g->uid, gid = x->has_gid ? x->gid : g->gid;

	if (!x->has_uid && !g->has_uid &&
	    SB_HEADER_FIELD(h, uid, ID_MAX, &uid, "the owner", err) < 0)
		return -err->code;
	if (!x->has_gid && !g->has_gid &&
	    SB_HEADER_FIELD(h, gid, ID_MAX, &gid, "the group", err) < 0)
		return -err->code;
	tar->entry.uid = (uid_t)uid;
	tar->entry.gid = (gid_t)gid;
	return 0;
}

static int set_time(struct sb_tar *tar, struct sb_err *err)
{
	const struct sb_header *h = &tar->header;
	uint64_t seconds = 0;

	if (tar->pax.has_mtime || tar->global.has_mtime) {
		tar->entry.mtime = tar->pax.has_mtime ? tar->pax.mtime : tar->global.mtime;
		return 0;
	}
	/* Base-256 with a sign: before 1970, which nothing in an image is. */
	if ((unsigned char)h->mtime[0] != 0xff &&
	    SB_HEADER_FIELD(h, mtime, INT64_MAX, &seconds, "the time", err) < 0)
		return -err->code;
	tar->entry.mtime = (struct timespec){ .tv_sec = (time_t)seconds };
	return 0;
}

static int set_device(struct sb_tar *tar, struct sb_err *err)
{
	const struct sb_header *h = &tar->header;
	uint64_t dev_major = 0, dev_minor = 0;

	if ((tar->entry.type == SB_TAR_CHAR || tar->entry.type == SB_TAR_BLOCK) &&
	    (SB_HEADER_FIELD(h, dev_major, MAJOR_MAX, &dev_major, "the device number", err) < 0 ||
	     SB_HEADER_FIELD(h, dev_minor, MINOR_MAX, &dev_minor, "the device number", err) < 0))
		return -err->code;
	tar->entry.dev_major = (uint32_t)dev_major;
	tar->entry.dev_minor = (uint32_t)dev_minor;
	return 0;
}

/* Mode, owner, size, time and device of the current entry. */
static int set_numbers(struct sb_tar *tar, struct sb_err *err)
{
	const struct sb_header *h = &tar->header;
	struct sb_tar_entry *e = &tar->entry;
	uint64_t mode, size = tar->pax.size;

	if (SB_HEADER_FIELD(h, mode, UINT32_MAX, &mode, "the mode", err) < 0 ||
	    set_owner(tar, err) < 0 || set_time(tar, err) < 0 || set_device(tar, err) < 0)
		return -err->code;
	if (!tar->pax.has_size && SB_HEADER_FIELD(h, size, INT64_MAX, &size, "the size", err) < 0)
		return -err->code;
	e->mode = (mode_t)(mode & 07777);
	/* Other types have no content whatever the field says, as all readers agree. */
	e->size = e->type == SB_TAR_FILE ? size : 0;
	if (e->size > tar->limits->tar_bytes) {
		sb_err_refuse(err, EPROTO, "a file is longer than %llu bytes",
			      (unsigned long long)tar->limits->tar_bytes);
		return sb_err_hint(err, SB_LAYER_LIMIT_HINT, "tarBytes");
	}
	e->xattrs = tar->pax.xattrs;
	e->xattrs_len = tar->pax.xattrs_len;
	return 0;
}

/* The map of an old GNU sparse file; it lies before the content and is not part of it. */
static int take_old_map(struct sb_tar *tar, struct sb_err *err)
{
	char block[SB_SPARSE_BLOCK_BYTES];
	int more = sb_sparse_take_header(&tar->map, &tar->header, err);

	while (more > 0) {
		more = take(tar, block, sizeof(block), err);
		if (more == 0)
			return truncated(err);
		if (more > 0)
			more = sb_sparse_take_extension(&tar->map, block, err);
	}
	return more;
}

/* The map at the head of the content. */
static int take_text_map(struct sb_tar *tar, struct sb_err *err)
{
	char block[SB_SPARSE_BLOCK_BYTES];
	int more = 1;

	while (more > 0) {
		if (tar->body_left < sizeof(block))
			return sb_err_refuse(err, EPROTO, "the map of a sparse file has no end");
		more = take(tar, block, sizeof(block), err);
		if (more == 0)
			return truncated(err);
		tar->body_left -= sizeof(block);
		if (more > 0)
			more = sb_sparse_take_text(&tar->map, block, err);
	}
	return more;
}

/* How much content follows, and where it belongs in the file. */
static int begin_content(struct sb_tar *tar, struct sb_err *err)
{
	struct sb_tar_entry *e = &tar->entry;

	if (tar->header.type == 'S' && take_old_map(tar, err) < 0)
		return -err->code;
	begin_body(tar, e->size);
	e->stored = e->size;
	if (!tar->map.used)
		return sb_sparse_set_whole(&tar->map, e->size, err);
	if (e->type != SB_TAR_FILE)
		return sb_err_refuse(err, EPROTO, "sparse, but not a regular file");
	if (tar->map.text && take_text_map(tar, err) < 0)
		return -err->code;
	e->stored = tar->body_left;
	return sb_sparse_finish(&tar->map, e->stored, tar->limits->tar_bytes, &e->size, err);
}

/**
 * sb_tar_next() - Step to the next entry
 * @tar:	stream
 * @ret:	borrowed until the next call
 *
 * Content of the previous entry that was not read is passed over.
 *
 * Return: 1, 0 at the end of the archive, or a negative errno value (-EPROTO: broken or over a
 * limit; the message names the entry if its name is known)
 */
int sb_tar_next(struct sb_tar *tar, const struct sb_tar_entry **ret, struct sb_err *err)
{
	char shown[SB_TAR_SHOWN_SIZE];
	int r;

	if (tar->ended)
		return 0;
	sb_pax_reset(&tar->pax);
	sb_sparse_reset(&tar->map);
	tar->extended = false;
	for (;;) {
		r = next_header(tar, err);
		if (r <= 0)
			return r;
		if (!strchr("xgLK", tar->header.type) || !tar->header.type)
			break;
		if (take_extension(tar, err) < 0)
			return -err->code;
	}
	if (set_names(tar, err) < 0 || set_numbers(tar, err) < 0 || begin_content(tar, err) < 0) {
		char name[SB_LAYER_NAME_MAX + 2];

		return sb_err_prefix(err, "'%s'", sb_tar_shown(raw_name(tar, name), shown));
	}
	*ret = &tar->entry;
	return 1;
}

/**
 * sb_tar_read() - The next piece of the current entry's content
 * @tar:	stream
 * @ret:	borrowed until the next call of any function of @tar
 * @ret_offset:	where it belongs in the file: pieces ascend, and there are holes between those that
 *		don't touch. A hole may also be last: see @size of the entry
 *
 * Return: length of the piece, 0 at the end of the content, or a negative errno value
 */
ssize_t sb_tar_read(struct sb_tar *tar, const uint8_t **ret, uint64_t *ret_offset,
		    struct sb_err *err)
{
	uint64_t room = sb_sparse_room(&tar->map, ret_offset);
	ssize_t n;

	if (room == 0)
		return 0;
	n = take_piece(tar, room, ret, err);
	if (n == 0)
		return truncated(err);
	if (n < 0)
		return n;
	tar->body_left -= (uint64_t)n;
	sb_sparse_advance(&tar->map, (uint64_t)n);
	if (sb_split_add_content(tar->split, tar->entry.path, *ret_offset, (uint64_t)n, err) < 0)
		return -err->code;
	return n;
}

/**
 * sb_tar_drain() - Pass over what follows the end of the archive
 * @tar:	stream at the end of its archive
 *
 * Writers fill the last record with zeros. The digest of a layer covers them, so somebody must
 * pull them.
 *
 * Return: 0, or a negative errno value
 */
int sb_tar_drain(struct sb_tar *tar, struct sb_err *err)
{
	int r;

	while ((r = fill(tar, err)) > 0) {
		if (sb_split_add_raw(tar->split, tar->piece, tar->piece_len, err) < 0)
			return -err->code;
		tar->offset += tar->piece_len;
		tar->piece_len = 0;
	}
	return r;
}

/**
 * sb_tar_offset() - How many bytes of the stream were consumed
 * @tar:	stream
 *
 * Right after sb_tar_next() this is where the entry's content begins.
 *
 * Return: bytes
 */
uint64_t sb_tar_offset(const struct sb_tar *tar)
{
	return tar->offset;
}
