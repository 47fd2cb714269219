/* SPDX-License-Identifier: Apache-2.0 */
/*
 * archive.c - write a tar of plain files, whose sizes are known before their content
 *
 * Headers are POSIX.1-2017 "ustar", of root, read-only and of time 0: the same content gives the
 * same archive. Sizes from 8 GiB on are in GNU's base 256, which every reader of images knows.
 */
#include "images/archive.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "images/header.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"

#define BUF_BYTES (256 << 10)
#define OCTAL_MAX ((UINT64_C(1) << 33) - 1) /* eleven digits */

/**
 * sb_archive_init() - Begin a tar
 * @archive:	caller's memory; sb_archive_done() releases what it holds
 * @fd:		file or pipe; borrowed for as long as @archive is used
 *
 * Return: 0 or -ENOMEM
 */
int sb_archive_init(struct sb_archive *archive, int fd, struct sb_err *err)
{
	*archive = (struct sb_archive){ .fd = fd, .buf = malloc(BUF_BYTES) };
	return archive->buf ? 0 : sb_err_set(err, ENOMEM, "write an archive");
}

/* Whether a signal waits that our caller has blocked to clean up before it takes effect. */
static int check_signals(struct sb_err *err)
{
	sigset_t waiting, blocked;

	if (sigpending(&waiting) < 0 || sigprocmask(SIG_BLOCK, NULL, &blocked) < 0 ||
	    sigandset(&waiting, &waiting, &blocked) < 0 || sigisemptyset(&waiting))
		return 0;
	return sb_err_refuse(err, EINTR, "interrupted");
}

static int flush(struct sb_archive *a, struct sb_err *err)
{
	int r;

	if (check_signals(err) < 0)
		return -err->code;
	r = sb_write_all(a->fd, a->buf, a->len);
	a->len = 0;
	return r < 0 ? sb_err_set(err, -r, "write") : 0;
}

static int append(struct sb_archive *a, const void *data, size_t len, struct sb_err *err)
{
	const char *p = data;

	a->total += len;
	while (len > 0) {
		size_t n = BUF_BYTES - a->len < len ? BUF_BYTES - a->len : len;

		memcpy(a->buf + a->len, p, n);
		a->len += n;
		p += n;
		len -= n;
		if (a->len == BUF_BYTES && flush(a, err) < 0)
			return -err->code;
	}
	return 0;
}

static void set_size(struct sb_header *h, uint64_t size)
{
	if (size <= OCTAL_MAX) {
		snprintf(h->size, sizeof(h->size), "%011llo", (unsigned long long)size);
		return;
	}
	h->size[0] = (char)0x80;
	for (size_t i = sizeof(h->size) - 1; i > 0; i--, size >>= 8)
		h->size[i] = (char)(size & 0xff);
}

static void set_checksum(struct sb_header *h)
{
	const unsigned char *p = (const unsigned char *)h;
	unsigned int sum = 0;

	memset(h->checksum, ' ', sizeof(h->checksum));
	for (size_t i = 0; i < sizeof(*h); i++)
		sum += p[i];
	snprintf(h->checksum, sizeof(h->checksum) - 1, "%06o", sum); /* a blank stays behind it */
}

/**
 * sb_archive_begin() - Begin a file
 * @archive:	tar, between two files
 * @name:	its path, shorter than 100 bytes
 * @size:	bytes that will follow
 *
 * Return: 0, or a negative errno value (-EINTR: a signal waits that the caller has blocked)
 */
int sb_archive_begin(struct sb_archive *archive, const char *name, uint64_t size,
		     struct sb_err *err)
{
	struct sb_header h = { .mode = "0000444",
			       .uid = "0000000",
			       .gid = "0000000",
			       .mtime = "00000000000",
			       .type = '0',
			       .magic = "ustar",
			       .version = { '0', '0' } };

	assert(strlen(name) < sizeof(h.name) && archive->left == 0);
	memcpy(h.name, name, strlen(name));
	set_size(&h, size);
	set_checksum(&h);
	archive->left = size;
	archive->pad = -size & (SB_HEADER_BYTES - 1);
	return append(archive, &h, sizeof(h), err);
}

/**
 * sb_archive_write() - Write content of the current file
 * @archive:	tar
 * @data:	bytes
 * @len:	how many
 *
 * Return: 0, or a negative errno value (-EPROTO: more than was announced; -EINTR: see above)
 */
int sb_archive_write(struct sb_archive *archive, const void *data, size_t len, struct sb_err *err)
{
	if (len > archive->left)
		return sb_err_refuse(err, EPROTO, "it is longer than it should be");
	archive->left -= len;
	return append(archive, data, len, err);
}

/**
 * sb_archive_end() - End the current file
 * @archive:	tar
 *
 * Return: 0, or a negative errno value (-EPROTO: less than was announced; -EINTR: see above)
 */
int sb_archive_end(struct sb_archive *archive, struct sb_err *err)
{
	static const char zeros[SB_HEADER_BYTES];

	if (archive->left > 0)
		return sb_err_refuse(err, EPROTO, "it is shorter than it should be");
	return append(archive, zeros, archive->pad, err);
}

/**
 * sb_archive_put() - Write a whole file
 * @archive:	tar, between two files
 * @name:	its path, shorter than 100 bytes
 * @data:	content
 * @len:	its length
 *
 * Return: 0, or a negative errno value (-EINTR: see above)
 */
int sb_archive_put(struct sb_archive *archive, const char *name, const void *data, size_t len,
		   struct sb_err *err)
{
	if (sb_archive_begin(archive, name, len, err) < 0 ||
	    sb_archive_write(archive, data, len, err) < 0)
		return -err->code;
	return sb_archive_end(archive, err);
}

/**
 * sb_archive_finish() - End the tar: after this all of it is written
 * @archive:	tar, between two files
 *
 * Return: 0, or a negative errno value (-EINTR: see above)
 */
int sb_archive_finish(struct sb_archive *archive, struct sb_err *err)
{
	static const char end[2 * SB_HEADER_BYTES];

	return append(archive, end, sizeof(end), err) < 0 ? -err->code : flush(archive, err);
}

/**
 * sb_archive_done() - Release what a tar holds
 * @archive:	finished or not
 */
void sb_archive_done(struct sb_archive *archive)
{
	free(archive->buf);
	archive->buf = NULL;
}
