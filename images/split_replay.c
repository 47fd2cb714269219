/* SPDX-License-Identifier: Apache-2.0 */
/*
 * split_replay.c - a layer's tar, made again from its directory and its record (split.c)
 *
 * Only root can write to the store, and whoever makes a tar compares its digest. All the same, no
 * path of a record is followed out of the layer or through a link.
 */
#include "images/split.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <linux/openat2.h>

#include "images/decoder.h"
#include "images/hash.h"
#include "images/source.h"
#include "images/split_format.h"
#include "images/store.h"
#include "images/tar.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/err.h"
#include "runtime/base/sys.h"

#define IN_BYTES  (64 << 10)
#define BUF_BYTES (256 << 10)

/* A record being read; @fd is the file of the last content. */
struct replay {
	struct sb_decoder *z;
	int layer_dirfd;
	struct sb_split_sink *sink;
	struct sb_hash hash;
	int fd;
	uint8_t *buf;
};

static int broken(struct sb_err *err)
{
	return sb_err_refuse(err, EPROTO, "its record is broken");
}

/* Read exactly @len bytes. Return: 1, 0 if the record ends before the first one, or < 0 */
static int take(struct replay *r, void *buf, size_t len, struct sb_err *err)
{
	ssize_t n = sb_decoder_read(r->z, buf, len, err);

	if (n < 0)
		return (int)n;
	if ((size_t)n < len && n > 0)
		return broken(err);
	return n > 0;
}

static int give(struct replay *r, size_t len, struct sb_err *err)
{
	sb_hash_update(&r->hash, r->buf, len);
	return r->sink->write(r->sink, r->buf, len, err);
}

static int replay_raw(struct replay *r, struct sb_err *err)
{
	uint32_t len = 0;
	int got = take(r, &len, sizeof(len), err);

	len = le32toh(len);
	while (got > 0 && len > 0) {
		size_t n = len < BUF_BYTES ? len : BUF_BYTES;

		got = take(r, r->buf, n, err);
		if (got > 0 && give(r, n, err) < 0)
			return -err->code;
		len -= (uint32_t)n;
	}
	return got < 0 ? got : got == 0 ? broken(err) : 0;
}

static int open_content(struct replay *r, const char *path, struct sb_err *err)
{
	const struct open_how how = {
		.flags = O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS |
			   RESOLVE_NO_XDEV,
	};
	char shown[SB_TAR_SHOWN_SIZE];
	struct stat st;

	sb_close_fd(&r->fd);
	r->fd = sb_openat2(r->layer_dirfd, path, &how);
	if (r->fd < 0 || fstat(r->fd, &st) < 0)
		return sb_err_set(err, errno, "open '%s'", sb_tar_shown(path, shown));
	if (!S_ISREG(st.st_mode))
		return sb_err_refuse(err, EPROTO, "'%s' is not a regular file",
				     sb_tar_shown(path, shown));
	return 0;
}

static int copy_content(struct replay *r, uint64_t offset, uint64_t len, struct sb_err *err)
{
	struct sb_file_source from;

	sb_source_from_file(&from, r->fd, (off_t)offset, len);
	while (len > 0) {
		ssize_t n = sb_source_read_file(&from, r->buf, BUF_BYTES, err);

		if (n < 0 || give(r, (size_t)n, err) < 0)
			return -err->code;
		len -= (uint64_t)n;
	}
	return 0;
}

static int replay_content(struct replay *r, struct sb_err *err)
{
	char path[SB_LAYER_PATH_SIZE];
	uint64_t place[2] = { 0, 0 }; /* offset and length */
	uint16_t path_len = 0;
	int got = take(r, &path_len, sizeof(path_len), err);

	path_len = le16toh(path_len);
	if (got > 0 && path_len >= sizeof(path))
		return broken(err);
	if (got > 0 && path_len > 0) {
		got = take(r, path, path_len, err);
		path[path_len] = '\0';
		if (got > 0 && open_content(r, path, err) < 0)
			return -err->code;
	}
	if (got > 0)
		got = take(r, place, sizeof(place), err);
	if (got < 0)
		return got;
	place[0] = le64toh(place[0]);
	place[1] = le64toh(place[1]);
	if (got == 0 || r->fd < 0 || place[0] > INT64_MAX || place[1] > INT64_MAX - place[0])
		return broken(err);
	return copy_content(r, place[0], place[1], err);
}

static int replay_all(struct replay *r, struct sb_err *err)
{
	char magic[sizeof(SB_SPLIT_MAGIC) - 1];
	char mark;
	int got = take(r, magic, sizeof(magic), err);

	if (got < 0)
		return got;
	if (got == 0 || memcmp(magic, SB_SPLIT_MAGIC, sizeof(magic)) != 0)
		return broken(err);
	while ((got = take(r, &mark, 1, err)) > 0) {
		if (mark == SB_SPLIT_RAW)
			got = replay_raw(r, err);
		else if (mark == SB_SPLIT_CONTENT)
			got = replay_content(r, err);
		else
			got = broken(err);
		if (got < 0)
			return got;
	}
	return got;
}

/* A layer whose tar has replaced a file of its own: refused by the name of the file. */
static int check_replaced(int fd, struct sb_err *err)
{
	char text[SB_LAYER_PATH_SIZE + sizeof(SB_SPLIT_REPLACED)] = "";
	char shown[SB_TAR_SHOWN_SIZE];
	const size_t head = sizeof(SB_SPLIT_REPLACED) - 1;
	ssize_t n = pread(fd, text, sizeof(text) - 1, 0);

	if (n < 0)
		return sb_err_set(err, errno, "read its record");
	if ((size_t)n < head || memcmp(text, SB_SPLIT_REPLACED, head) != 0)
		return 0;
	return sb_err_refuse(err, EPROTO,
			     "its tar has '%s' more than once and cannot be made again",
			     sb_tar_shown(text + head, shown));
}

/**
 * sb_split_open() - Open the record of a layer
 * @layers_dirfd:	layers/ of the store; borrowed
 * @layer:	name of its directory
 *
 * Return: a descriptor, or a negative errno value (-ENOENT: the layer has none, with a hint;
 * -EPROTO: it tells that its tar can't be made again)
 */
int sb_split_open(int layers_dirfd, const char *layer, struct sb_err *err)
{
	char name[SB_STORE_NAME_SIZE];
	_cleanup_fd_ int fd = -1;

	snprintf(name, sizeof(name), "%s" SB_STORE_SPLIT_SUFFIX, layer);
	fd = openat(layers_dirfd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT) {
		sb_err_refuse(err, ENOENT, "the store has no record of its tar");
		return sb_err_hint(err, "it was stored by an older sbrun: remove the image and "
					"load or pull it again");
	}
	if (fd < 0)
		return sb_err_set(err, errno, "open its record");
	return check_replaced(fd, err) < 0 ? -err->code : sb_steal_fd(&fd);
}

/**
 * sb_split_replay() - Make the tar of a layer again
 * @fd:		its record; borrowed
 * @layer_dirfd:	its directory; borrowed
 * @sink:	gets the bytes
 * @ret_digest:	digest of all of them, room for SB_DIGEST_SIZE bytes: the caller compares it with
 *the layer's; written on success only
 *
 * Return: 0, or a negative errno value (-EPROTO: record and directory do not fit)
 */
int sb_split_replay(int fd, int layer_dirfd, struct sb_split_sink *sink, char *ret_digest,
		    struct sb_err *err)
{
	_cleanup_free_ uint8_t *in = malloc(IN_BYTES);
	_cleanup_free_ uint8_t *buf = malloc(BUF_BYTES);
	_cleanup_decoder_ struct sb_decoder *z = NULL;
	struct replay r = {
		.layer_dirfd = layer_dirfd, .sink = sink, .hash = SB_HASH_INIT, .fd = -1, .buf = buf
	};
	struct sb_file_source from;
	int ret;

	if (!in || !buf)
		return sb_err_set(err, ENOMEM, "read its record");
	sb_source_from_file(&from, fd, 0, SB_SOURCE_TO_END);
	from.buf = in;
	from.buf_size = IN_BYTES;
	z = sb_decoder_new(SB_FORMAT_ZSTD, &from.base, err);
	if (!z || sb_hash_init(&r.hash, err) < 0)
		return -err->code;
	r.z = z;
	ret = replay_all(&r, err);
	if (ret == 0)
		ret = sb_hash_final(&r.hash, ret_digest, err);
	sb_hash_done(&r.hash);
	sb_close_fd(&r.fd);
	return ret;
}
