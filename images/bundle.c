/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bundle.c - files of an image by name, whether it is a directory, a tar, a stream or fetched
 *
 * A tar is read where it lies: its headers are walked once, and its files are found by offset.
 * What can't seek or is compressed as a whole is first written to a nameless file in the store,
 * which the kernel removes when we end, however that happens. What a registry sends looks like an
 * OCI layout: its blobs are found by the names they would have there.
 */
#include "images/bundle.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <linux/openat2.h>

#include "images/decoder.h"
#include "images/limits.h"
#include "images/source.h"
#include "images/tar.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/sys.h"

#define ENTRIES_MAX 16384     /* 128 layers with three files each are usual at most */
#define NAMES_MAX   (8 << 20) /* bytes of all their names and of what links point to */
/* Bytes of all small files that are read, plus DOCUMENT_COST for each: an index may name another
 * one a thousand times, and that again. */
#define DOCUMENTS_MAX (16 << 20)
#define DOCUMENT_COST 4096
#define LINKS_MAX     8    /* links that lead from one file to another */
#define LIST_BYTES    4096 /* read at once while headers are walked: bodies are skipped */
#define COPY_BYTES    (256 << 10)

/* One file of a tar: @link if it is a link, else @offset and @size. */
struct member {
	char *path;
	char *link;
	bool hard;
	off_t offset;
	uint64_t size;
};

/**
 * struct sb_bundle - an image archive
 * @dirfd:	directory, borrowed; -1 if it is something else
 * @tar_fd:	tar that can seek; -1 if it is something else
 * @fetched:	blobs from a registry, borrowed; NULL if it is something else
 * @n_fetched:	how many
 * @owned:	@tar_fd is our own
 * @members:	files of the tar, in its order
 * @n:		how many
 * @names:	bytes of their names
 * @documents:	what counts for DOCUMENTS_MAX
 */
struct sb_bundle {
	int dirfd;
	int tar_fd;
	const struct sb_fetched *fetched;
	size_t n_fetched;
	bool owned;
	struct member *members;
	size_t n;
	size_t names;
	uint64_t documents;
};

/* A file without a name in @dirfd. */
static int open_spool(int dirfd, struct sb_err *err)
{
	const char *name = "spool";
	int fd = openat(dirfd, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);

	if (fd < 0 || unlinkat(dirfd, name, 0) < 0) {
		sb_err_set(err, errno, "make a temporary file in the store");
		sb_cleanup_fd(&fd);
		return -err->code;
	}
	return fd;
}

/* Copy @from to @to_fd, decompressed; @ratio_of is the length of @from, 0 if not known. */
static int copy(struct sb_file_source *from, enum sb_format format, uint64_t ratio_of, int to_fd,
		struct sb_err *err)
{
	const struct sb_layer_limits limits = SB_LAYER_LIMITS_DEFAULT;
	_cleanup_free_ uint8_t *in = malloc(COPY_BYTES);
	_cleanup_free_ uint8_t *out = malloc(COPY_BYTES);
	_cleanup_decoder_ struct sb_decoder *z = NULL;
	uint64_t total = 0;
	ssize_t n;

	if (!in || !out)
		return sb_err_set(err, ENOMEM, "read the archive");
	from->buf = in;
	from->buf_size = COPY_BYTES;
	if (format != SB_FORMAT_PLAIN) {
		z = sb_decoder_new(format, &from->base, err);
		if (!z)
			return -err->code;
	}
	while ((n = z ? sb_decoder_read(z, out, COPY_BYTES, err)
		      : sb_source_read_file(from, out, COPY_BYTES, err)) > 0) {
		int r = sb_write_all(to_fd, out, (size_t)n);

		if (r < 0)
			return sb_err_set(err, -r, "write a temporary file in the store");
		total += (uint64_t)n;
		if (total > limits.tar_bytes || (ratio_of && total > limits.ratio_free_bytes &&
						 total / limits.ratio > ratio_of))
			return sb_err_refuse(err, EPROTO, "the archive unpacks to too many bytes");
	}
	return (int)n;
}

/* Make sure that the archive can seek and is not compressed: replace *@fd by a copy if need be. */
static int make_seekable(struct sb_bundle *b, int spool_dirfd, struct sb_err *err)
{
	struct sb_file_source from;
	_cleanup_fd_ int spool = -1;
	struct stat st;
	enum sb_format format;

	if (lseek(b->tar_fd, 0, SEEK_CUR) < 0) {
		spool = open_spool(spool_dirfd, err);
		if (spool < 0)
			return -err->code;
		sb_source_from_file(&from, b->tar_fd, -1, SB_SOURCE_TO_END);
		if (copy(&from, SB_FORMAT_PLAIN, 0, spool, err) < 0)
			return -err->code;
		b->tar_fd = sb_steal_fd(&spool);
		b->owned = true;
	}
	if (fstat(b->tar_fd, &st) < 0)
		return sb_err_set(err, errno, "read the archive");
	if (!S_ISREG(st.st_mode))
		return sb_err_refuse(err, EINVAL, "the archive is neither a file nor a directory");
	sb_source_from_file(&from, b->tar_fd, 0, (uint64_t)st.st_size);
	if (sb_decoder_sniff(&from, &format, err) < 0)
		return sb_err_prefix(err, "the archive");
	if (format == SB_FORMAT_PLAIN)
		return 0;
	spool = open_spool(spool_dirfd, err);
	if (spool < 0)
		return -err->code;
	if (copy(&from, format, (uint64_t)st.st_size, spool, err) < 0)
		return -err->code;
	if (b->owned)
		(void)close(b->tar_fd);
	b->tar_fd = sb_steal_fd(&spool);
	b->owned = true;
	return 0;
}

static int add_member(struct sb_bundle *b, const struct sb_tar_entry *e, uint64_t offset,
		      struct sb_err *err)
{
	struct member *m;

	b->names += strlen(e->path) + strlen(e->link);
	if (b->names > NAMES_MAX)
		return sb_err_refuse(err, EPROTO, "the archive has more than %d bytes of names",
				     NAMES_MAX);
	/* Grow by doubling: at 0, 1, 2, 4, … there is no room for one more. */
	if ((b->n & (b->n - 1)) == 0) {
		m = realloc(b->members, (b->n ? b->n * 2 : 1) * sizeof(*m));
		if (!m)
			return sb_err_set(err, ENOMEM, "list the archive");
		b->members = m;
	}
	m = &b->members[b->n];
	*m = (struct member){ .path = strdup(e->path),
			      .hard = e->type == SB_TAR_HARDLINK,
			      .offset = (off_t)offset,
			      .size = e->size };
	if (e->type != SB_TAR_FILE)
		m->link = strdup(e->link);
	if (!m->path || (e->type != SB_TAR_FILE && !m->link)) {
		free(m->path);
		free(m->link);
		return sb_err_set(err, ENOMEM, "list the archive");
	}
	b->n++;
	return 0;
}

/* Walk through the headers of the tar. */
static int list_members(struct sb_bundle *b, struct sb_err *err)
{
	struct sb_layer_limits limits = SB_LAYER_LIMITS_DEFAULT;
	_cleanup_free_ uint8_t *buf = malloc(LIST_BYTES);
	_cleanup_tar_ struct sb_tar *tar = NULL;
	const struct sb_tar_entry *e;
	struct sb_file_source from;
	struct stat st;
	int r;

	limits.entries = ENTRIES_MAX;
	if (!buf)
		return sb_err_set(err, ENOMEM, "list the archive");
	if (fstat(b->tar_fd, &st) < 0)
		return sb_err_set(err, errno, "read the archive");
	sb_source_from_file(&from, b->tar_fd, 0, (uint64_t)st.st_size);
	from.buf = buf;
	from.buf_size = LIST_BYTES;
	tar = sb_tar_new(&from.base, &limits, err);
	if (!tar)
		return -err->code;
	while ((r = sb_tar_next(tar, &e, err)) > 0) {
		if (e->type != SB_TAR_FILE && e->type != SB_TAR_SYMLINK &&
		    e->type != SB_TAR_HARDLINK)
			continue;
		/* Its bytes would have to be put together; nobody makes such archives on purpose.
		 */
		if (e->stored != e->size) {
			char shown[SB_TAR_SHOWN_SIZE];

			sb_err_refuse(err, EPROTO, "'%s' of the archive is a sparse file",
				      sb_tar_shown(e->path, shown));
			return sb_err_hint(err, "make the archive without tar's option --sparse");
		}
		if (add_member(b, e, sb_tar_offset(tar), err) < 0)
			return -err->code;
	}
	if (r == 0)
		return 0;
	err->hint[0] = '\0'; /* only what a layer may have can be configured */
	return sb_err_prefix(err, "read the archive");
}

/**
 * sb_bundle_new() - Open an image archive
 * @source_fd:	directory, regular file, pipe or socket; borrowed for as long as the result is used.
 *		A file may be compressed as a whole
 * @spool_dirfd:	directory for a temporary file, if one is needed; borrowed
 *
 * Return: freed with sb_bundle_free(), or NULL with @err set
 */
struct sb_bundle *sb_bundle_new(int source_fd, int spool_dirfd, struct sb_err *err)
{
	_cleanup_bundle_ struct sb_bundle *b = calloc(1, sizeof(*b));
	struct stat st;

	if (!b) {
		(void)sb_err_set(err, ENOMEM, "open the archive");
		return NULL;
	}
	b->dirfd = b->tar_fd = -1;
	if (fstat(source_fd, &st) < 0) {
		(void)sb_err_set(err, errno, "open the archive");
		return NULL;
	}
	if (S_ISDIR(st.st_mode)) {
		b->dirfd = source_fd;
		return sb_steal_ptr(&b);
	}
	b->tar_fd = source_fd;
	if (make_seekable(b, spool_dirfd, err) < 0 || list_members(b, err) < 0)
		return NULL;
	return sb_steal_ptr(&b);
}

/**
 * sb_bundle_new_fetched() - Treat blobs that come from a registry as an archive
 * @blobs:	blobs, each with a valid digest; borrowed for as long as the result is used
 * @n:		how many
 *
 * Return: freed with sb_bundle_free(), or NULL with @err set
 */
struct sb_bundle *sb_bundle_new_fetched(const struct sb_fetched *blobs, size_t n,
					struct sb_err *err)
{
	struct sb_bundle *b = calloc(1, sizeof(*b));

	if (!b) {
		(void)sb_err_set(err, ENOMEM, "open the image");
		return NULL;
	}
	b->dirfd = b->tar_fd = -1;
	b->fetched = blobs;
	b->n_fetched = n;
	return b;
}

/**
 * sb_bundle_cancel() - Wake all who wait for bytes that are still coming: they are of no use
 * @bundle:	archive
 */
void sb_bundle_cancel(const struct sb_bundle *bundle)
{
	for (size_t i = 0; i < bundle->n_fetched; i++)
		if (bundle->fetched[i].transfer)
			sb_transfer_end(bundle->fetched[i].transfer, SB_TRANSFER_FAILED);
}

/**
 * sb_bundle_free() - Close an image archive
 * @bundle:	archive, or NULL
 */
void sb_bundle_free(struct sb_bundle *bundle)
{
	if (!bundle)
		return;
	for (size_t i = 0; i < bundle->n; i++) {
		free(bundle->members[i].path);
		free(bundle->members[i].link);
	}
	free(bundle->members);
	if (bundle->owned)
		(void)close(bundle->tar_fd);
	free(bundle);
}

/* Where the symbolic link @path leads: lexically, and only inside the archive. */
static int follow(const char *path, const char *target, char *ret)
{
	const char *slash = strrchr(path, '/');
	size_t n = target[0] != '/' && slash ? (size_t)(slash - path) : 0;

	memcpy(ret, path, n);
	while (*target) {
		size_t len;

		target += strspn(target, "/");
		len = strcspn(target, "/");
		if (len == 2 && !memcmp(target, "..", 2)) {
			if (n == 0)
				return -EPROTO;
			while (n > 0 && ret[--n] != '/')
				;
		} else if (len > 0 && !(len == 1 && *target == '.')) {
			if (n + len + 2 > SB_LAYER_PATH_SIZE)
				return -EPROTO;
			if (n > 0)
				ret[n++] = '/';
			memcpy(ret + n, target, len);
			n += len;
		}
		target += len;
	}
	ret[n] = '\0';
	return 0;
}

/* The file of a tar that @name stands for; of several the last one, as if they were unpacked. */
static const struct member *find_member(const struct sb_bundle *b, const char *name)
{
	char path[SB_LAYER_PATH_SIZE], next[SB_LAYER_PATH_SIZE];
	struct sb_err ignored = SB_ERR_INIT;

	if (strlen(name) >= sizeof(path) || sb_tar_clean_path(name, 64, path, &ignored) < 0)
		return NULL;
	for (int hops = 0; hops <= LINKS_MAX; hops++) {
		const struct member *m = NULL;

		for (size_t i = b->n; i > 0 && !m; i--)
			if (!strcmp(b->members[i - 1].path, path))
				m = &b->members[i - 1];
		if (!m || !m->link)
			return m;
		if (m->hard)
			memcpy(next, m->link, strlen(m->link) + 1);
		else if (follow(path, m->link, next) < 0)
			return NULL;
		memcpy(path, next, sizeof(path));
	}
	return NULL;
}

static int find_in_dir(const struct sb_bundle *b, const char *name, struct sb_span *ret,
		       struct sb_err *err)
{
	char shown[SB_TAR_SHOWN_SIZE];
	const struct open_how how = {
		/* Non-blocking, for a FIFO under that name. */
		.flags = O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS,
	};
	_cleanup_fd_ int fd = sb_openat2(b->dirfd, name, &how);
	struct stat st;

	if (fd < 0 && errno == ENOENT)
		return sb_err_refuse(err, ENOENT, "the image lacks the file '%s'",
				     sb_tar_shown(name, shown));
	if (fd < 0 || fstat(fd, &st) < 0)
		return sb_err_set(err, errno, "open '%s' of the image", sb_tar_shown(name, shown));
	if (!S_ISREG(st.st_mode))
		return sb_err_refuse(err, EPROTO, "'%s' of the image is not a regular file",
				     sb_tar_shown(name, shown));
	*ret = (struct sb_span){ .owned = true, .size = (uint64_t)st.st_size };
	ret->fd = sb_steal_fd(&fd);
	return 0;
}

static int find_fetched(const struct sb_bundle *b, const char *name, struct sb_span *ret,
			struct sb_err *err)
{
	const char *hex = strrchr(name, '/');

	for (size_t i = 0; hex && i < b->n_fetched; i++) {
		const struct sb_fetched *f = &b->fetched[i];

		if (strcmp(strchr(f->digest, ':') + 1, hex + 1) != 0)
			continue;
		*ret = (struct sb_span){ .fd = f->fd, .size = f->size, .transfer = f->transfer };
		return 0;
	}
	return sb_err_refuse(err, ENOENT, "the blob '%.80s' was not fetched", name);
}

/**
 * sb_bundle_find() - Find a file of an image archive
 * @bundle:	archive
 * @name:	path, may come from the archive itself; it and links in it can't lead outside
 * @ret:	released with sb_span_done() before @bundle
 *
 * Return: 0, or a negative errno value (-ENOENT: no such file)
 */
int sb_bundle_find(const struct sb_bundle *bundle, const char *name, struct sb_span *ret,
		   struct sb_err *err)
{
	char shown[SB_TAR_SHOWN_SIZE];
	const struct member *m;

	if (bundle->dirfd >= 0)
		return find_in_dir(bundle, name, ret, err);
	if (bundle->fetched)
		return find_fetched(bundle, name, ret, err);
	m = find_member(bundle, name);
	if (!m)
		return sb_err_refuse(err, ENOENT, "the archive lacks the file '%s'",
				     sb_tar_shown(name, shown));
	*ret = (struct sb_span){ .fd = bundle->tar_fd, .offset = m->offset, .size = m->size };
	return 0;
}

/**
 * sb_bundle_read() - Read a whole file of an image archive
 * @bundle:	archive
 * @name:	path, see sb_bundle_find()
 * @max:	most bytes it may have
 * @ret:	content with a NUL appended; the caller frees it
 * @ret_len:	its length
 *
 * All that is read of one archive, again and again or not, has a bound of 16 MiB.
 *
 * Return: 0, or a negative errno value (-ENOENT, -EFBIG)
 */
int sb_bundle_read(struct sb_bundle *bundle, const char *name, size_t max, char **ret,
		   size_t *ret_len, struct sb_err *err)
{
	_cleanup_free_ char *text = NULL;
	char shown[SB_TAR_SHOWN_SIZE];
	struct sb_file_source from;
	struct sb_span span;
	ssize_t n;

	if (sb_bundle_find(bundle, name, &span, err) < 0)
		return -err->code;
	if (span.size > max) {
		sb_span_done(&span);
		return sb_err_refuse(err, EFBIG, "'%s' is longer than %zu bytes",
				     sb_tar_shown(name, shown), max);
	}
	bundle->documents += span.size + DOCUMENT_COST;
	if (bundle->documents > DOCUMENTS_MAX) {
		sb_span_done(&span);
		return sb_err_refuse(err, EFBIG, "the archive has more than %d bytes of documents",
				     DOCUMENTS_MAX);
	}
	text = malloc(span.size + 1);
	sb_source_from_span(&from, &span);
	n = text ? sb_source_read_file(&from, (uint8_t *)text, span.size, err)
		 : sb_err_set(err, ENOMEM, "read");
	sb_span_done(&span);
	if (n < 0)
		return sb_err_prefix(err, "'%s'", sb_tar_shown(name, shown));
	text[n] = '\0';
	*ret_len = (size_t)n;
	*ret = sb_steal_ptr(&text);
	return 0;
}
