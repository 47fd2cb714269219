/* SPDX-License-Identifier: Apache-2.0 */
/* roots.c - what keeps images in the store: references, and the sandboxes made of them */
#include "images/roots.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "images/reference.h"
#include "images/store.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/err.h"
#include "runtime/base/path.h"

static int by_digest(const void *a, const void *b)
{
	const struct sb_root *x = a, *y = b;

	return strcmp(x->digest, y->digest);
}

/* The root of @digest, new if there is none yet; NULL without memory. The list is not sorted yet.
 */
static struct sb_root *need_root(struct sb_roots *roots, const char *digest, struct sb_err *err)
{
	struct sb_root *v;

	for (size_t i = 0; i < roots->n; i++)
		if (!strcmp(roots->v[i].digest, digest))
			return &roots->v[i];
	v = realloc(roots->v, (roots->n + 1) * sizeof(*v));
	if (!v) {
		(void)sb_err_set(err, ENOMEM, "list what keeps images");
		return NULL;
	}
	roots->v = v;
	v[roots->n] = (struct sb_root){ .references = SB_STRV_INIT };
	memcpy(v[roots->n].digest, digest, SB_DIGEST_SIZE);
	return &v[roots->n++];
}

static int read_ref(int refs_dirfd, const char *name, struct sb_roots *roots, struct sb_err *err)
{
	char digest[SB_DIGEST_SIZE], index[SB_DIGEST_SIZE], full[SB_REFERENCE_SIZE];
	struct sb_image_ref ref;
	struct sb_root *root;
	int r = sb_store_read_ref(refs_dirfd, name, digest, index);

	if (r == -ENOENT)
		return 0; /* removed meanwhile */
	if (r == -EPROTO) {
		sb_err_refuse(err, EPROTO, "image reference '%.100s' is broken", name);
		return sb_err_hint(err, "load the image again, or remove it with 'sbrun image rm'");
	}
	if (r < 0)
		return sb_err_set(err, -r, "read image reference '%.100s'", name);
	root = need_root(roots, digest, err);
	if (!root || (index[0] && sb_strv_add(&root->indexes, index, err) < 0))
		return -err->code;
	/* A name that is none keeps its image all the same: deleting is what can't be undone. */
	if (sb_store_ref_from_file_name(name, &ref) < 0)
		return 0;
	sb_reference_format(&ref, full, sizeof(full));
	return sb_strv_add(&root->references, full, err);
}

static int read_refs(int store_dirfd, struct sb_roots *roots, struct sb_err *err)
{
	_cleanup_dir_ DIR *dir = sb_opendir_at(store_dirfd, SB_STORE_REFS);
	struct dirent *e;
	int r = 0;

	if (!dir)
		return errno == ENOENT
			       ? 0
			       : sb_err_set(err, errno, "open '%s' in the store", SB_STORE_REFS);
	while (r == 0 && (e = readdir(dir)))
		if (e->d_name[0] != '.')
			r = read_ref(dirfd(dir), e->d_name, roots, err);
	return r;
}

/* One sandbox. Without a link it was killed while it was made, and needs no image any more. */
static int read_sandbox(int dirfd, const char *id, struct sb_roots *roots, struct sb_err *err)
{
	char path[SB_STORE_NAME_SIZE + sizeof(SB_STORE_IMAGE_LINK) + 1];
	char name[SB_DIGEST_SIZE + 1] = "", digest[SB_DIGEST_SIZE];
	struct sb_root *root;

	snprintf(path, sizeof(path), "%s/" SB_STORE_IMAGE_LINK, id);
	if (readlinkat(dirfd, path, name, sizeof(name) - 1) < 0)
		return errno == ENOENT || errno == ENOTDIR
			       ? 0
			       : sb_err_set(err, errno, "read the image of sandbox '%.20s'", id);
	if (sb_digest_from_file_name(name, digest) < 0)
		return sb_err_refuse(err, EPROTO, "the image of sandbox '%.20s' is not a digest",
				     id);
	root = need_root(roots, digest, err);
	return root ? sb_strv_add(&root->sandboxes, id, err) : -err->code;
}

static int read_sandboxes(int store_dirfd, const char *name, struct sb_roots *roots,
			  struct sb_err *err)
{
	_cleanup_dir_ DIR *dir = sb_opendir_at(store_dirfd, name);
	struct dirent *e;
	int r = 0;

	if (!dir)
		return errno == ENOENT || errno == ENOTDIR
			       ? 0
			       : sb_err_set(err, errno, "open '%s' in the store", name);
	/* What begins with a dot is being deleted. */
	while (r == 0 && (e = readdir(dir)))
		if (e->d_name[0] != '.')
			r = read_sandbox(dirfd(dir), e->d_name, roots, err);
	return r;
}

static int read_all(int store_dirfd, struct sb_roots *roots, struct sb_err *err)
{
	_cleanup_dir_ DIR *dir = sb_opendir_at(store_dirfd, ".");
	struct dirent *e;

	if (!dir)
		return sb_err_set(err, errno, "open the store");
	if (read_refs(store_dirfd, roots, err) < 0)
		return -err->code;
	/* Several homes may share a store: each has its own directory of sandboxes. */
	while ((e = readdir(dir)))
		if (!strncmp(e->d_name, SB_STORE_SANDBOXES, strlen(SB_STORE_SANDBOXES)) &&
		    read_sandboxes(store_dirfd, e->d_name, roots, err) < 0)
			return -err->code;
	return 0;
}

/**
 * sb_roots_read() - List what keeps images in a store
 * @store_dirfd:	the store; borrowed. One that is not made yet keeps nothing
 * @ret:	sb_roots_done() frees it; written on success only
 *
 * Complete only while nobody adds: whoever deletes by it holds the store's lock (LOCK_EX).
 *
 * Return: 0, or a negative errno value (-EPROTO: a reference or a link stands for no digest)
 */
int sb_roots_read(int store_dirfd, struct sb_roots *ret, struct sb_err *err)
{
	struct sb_roots roots = SB_ROOTS_INIT;

	if (read_all(store_dirfd, &roots, err) < 0) {
		sb_roots_done(&roots);
		return -err->code;
	}
	if (roots.n > 1)
		qsort(roots.v, roots.n, sizeof(*roots.v), by_digest);
	for (size_t i = 0; i < roots.n; i++)
		sb_strv_sort(&roots.v[i].references);
	*ret = roots;
	return 0;
}

/**
 * sb_roots_find() - The root of an image
 * @roots:	all of a store
 * @digest:	digest of its manifest
 *
 * Return: borrowed from @roots, or NULL
 */
struct sb_root *sb_roots_find(const struct sb_roots *roots, const char *digest)
{
	struct sb_root key = { .references = SB_STRV_INIT };

	if (roots->n == 0)
		return NULL;
	snprintf(key.digest, sizeof(key.digest), "%s", digest);
	return bsearch(&key, roots->v, roots->n, sizeof(*roots->v), by_digest);
}

/**
 * sb_roots_done() - Free the list; it is empty afterwards
 * @roots:	list
 */
void sb_roots_done(struct sb_roots *roots)
{
	for (size_t i = 0; i < roots->n; i++) {
		sb_strv_done(&roots->v[i].references);
		sb_strv_done(&roots->v[i].indexes);
		sb_strv_done(&roots->v[i].sandboxes);
	}
	free(roots->v);
	*roots = (struct sb_roots)SB_ROOTS_INIT;
}
