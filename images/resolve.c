/* SPDX-License-Identifier: Apache-2.0 */
/* resolve.c - which image of the store a user means */
#include "images/resolve.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "images/roots.h"
#include "images/store.h"
#include "images/stored.h"
#include "runtime/base/err.h"

#define ALGORITHM  "sha256:"
#define PREFIX_MIN 4 /* hex digits of an abbreviated digest, as docker's image ids */

static bool is_hex(const char *s)
{
	size_t n = strspn(s, "0123456789abcdef");

	return n == strlen(s) && n >= PREFIX_MIN && n <= SB_DIGEST_HEX_LEN;
}

/* The hex digits after "sha256:", also fewer than all; NULL: @text is something else. */
static const char *after_algorithm(const char *text)
{
	size_t n = strlen(ALGORITHM);

	return !strncmp(text, ALGORITHM, n) && is_hex(text + n) ? text + n : NULL;
}

static bool begins(const char *digest, const char *hex)
{
	return !strncmp(digest + SB_DIGEST_LEN - SB_DIGEST_HEX_LEN, hex, strlen(hex));
}

/* What of an image a digest may stand for, in the order of preference. */
enum kind {
	MANIFEST,
	INDEX,  /* what the registry gave for the name */
	CONFIG, /* docker's image id */
	KINDS,
};

static bool matches(int store_dirfd, const struct sb_root *root, enum kind kind, const char *hex)
{
	struct sb_stored_manifest m = { .json = NULL };
	struct sb_err ignored = SB_ERR_INIT;
	bool found = false;

	if (kind == MANIFEST)
		return begins(root->digest, hex);
	for (size_t i = 0; kind == INDEX && i < root->indexes.n; i++)
		found |= begins(root->indexes.v[i], hex);
	if (kind == CONFIG &&
	    sb_stored_manifest_read(store_dirfd, root->digest, &m, &ignored) == 0) {
		found = begins(m.config, hex);
		sb_stored_manifest_done(&m);
	}
	return found;
}

/*
 * The image that a full or abbreviated hex digest stands for, among those that something keeps.
 * Return: 0, -ENOENT without a message, or < 0
 */
static int find(int store_dirfd, const char *hex, char *ret_digest, struct sb_err *err)
{
	struct sb_roots roots;
	const struct sb_root *found = NULL;
	int r = sb_roots_read(store_dirfd, &roots, err);

	if (r < 0)
		return r;
	for (int kind = MANIFEST; !found && kind < KINDS; kind++) {
		for (size_t i = 0; r == 0 && i < roots.n; i++) {
			if (!matches(store_dirfd, &roots.v[i], (enum kind)kind, hex))
				continue;
			if (found)
				r = sb_err_refuse(err, EINVAL, "image id '%s' is ambiguous", hex);
			found = &roots.v[i];
		}
	}
	if (r == 0 && found)
		memcpy(ret_digest, found->digest, SB_DIGEST_SIZE);
	sb_roots_done(&roots);
	return r < 0 ? r : found ? 0 : -ENOENT;
}

/* A whole digest: of a stored manifest, also one that has no name any more, or as find() does it.
 */
static int find_digest(int store_dirfd, const char *digest, char *ret_digest, struct sb_err *err)
{
	struct sb_stored_manifest m = { .json = NULL };
	struct sb_err why = SB_ERR_INIT;
	int r;

	if (sb_stored_manifest_read(store_dirfd, digest, &m, &why) == 0) {
		sb_stored_manifest_done(&m);
		memcpy(ret_digest, digest, SB_DIGEST_SIZE);
		return 0;
	}
	r = find(store_dirfd, digest + SB_DIGEST_LEN - SB_DIGEST_HEX_LEN, ret_digest, err);
	if (r == -ENOENT)
		*err = why;
	return r == -ENOENT ? -err->code : r;
}

/* @hex: the digits of @text */
static int find_prefix(int store_dirfd, const char *text, const char *hex, char *ret_digest,
		       struct sb_err *err)
{
	int r = find(store_dirfd, hex, ret_digest, err);

	return r == -ENOENT ? sb_stored_not_found(text, err) : r;
}

/* Look @ref up in refs/. Return: 0, -ENOENT without a message, or < 0 */
static int find_name(int store_dirfd, const struct sb_image_ref *ref, struct sb_resolved *ret,
		     struct sb_err *err)
{
	char name[SB_STORE_NAME_SIZE], path[sizeof(SB_STORE_REFS) + SB_STORE_NAME_SIZE];
	struct sb_err why = SB_ERR_INIT;
	int r;

	if (sb_store_ref_file_name(ref, name, &why) < 0) {
		if (ref->digest[0])
			return -ENOENT; /* too long to be there, but the digest still counts */
		*err = why;
		return -err->code;
	}
	snprintf(path, sizeof(path), SB_STORE_REFS "/%s", name);
	r = sb_store_read_ref(store_dirfd, path, ret->digest, ret->index);
	if (r < 0)
		return r == -ENOENT ? r
				    : sb_err_set(err, -r, "read image reference '%.100s'", name);
	sb_reference_format(ref, ret->reference, sizeof(ret->reference));
	return 0;
}

/* "name[:tag]@sha256:…": the image that was pulled so; else the digest says it all. */
static int find_pinned(int store_dirfd, struct sb_image_ref *ref, struct sb_resolved *ret,
		       struct sb_err *err)
{
	int r = find_name(store_dirfd, ref, ret, err);

	if (r == -ENOENT && ref->tag[0]) {
		ref->tag[0] = '\0';
		r = find_name(store_dirfd, ref, ret, err);
	}
	return r == -ENOENT ? find_digest(store_dirfd, ref->digest, ret->digest, err) : r;
}

static int resolve(int store_dirfd, const char *text, struct sb_resolved *ret, struct sb_err *err)
{
	struct sb_image_ref ref;
	const char *hex;
	int r;

	if (sb_digest_is_valid(text))
		return find_digest(store_dirfd, text, ret->digest, err);
	if (sb_resolve_is_id(text)) {
		hex = after_algorithm(text);
		return find_prefix(store_dirfd, text, hex ? hex : text, ret->digest, err);
	}
	if (sb_reference_parse(text, &ref, err) < 0)
		return -err->code;
	if (ref.digest[0])
		return find_pinned(store_dirfd, &ref, ret, err);
	r = find_name(store_dirfd, &ref, ret, err);
	if (r != -ENOENT)
		return r;
	if (is_hex(text))
		return find_prefix(store_dirfd, text, text, ret->digest, err);
	return sb_stored_not_found(text, err);
}

/**
 * sb_resolve_is_id() - Whether a text can only mean a digest or an id, never a name
 * @text:	what the user calls an image
 *
 * Fewer than 64 digits without "sha256:" in front may be a name, too.
 *
 * Return: whether it is "sha256:" and 4 to 64 hex digits, or 64 hex digits
 */
bool sb_resolve_is_id(const char *text)
{
	return after_algorithm(text) || (is_hex(text) && strlen(text) == SB_DIGEST_HEX_LEN);
}

/**
 * sb_resolve() - Find the image that a user means
 * @store_dirfd:	the store; borrowed
 * @text:	name, name with a digest, digest of manifest, index or configuration, or at least
 *		four hex digits that begin the digest of exactly one image, "sha256:" in front or
 *		not
 * @ret:	written on success only
 *
 * A name that exists goes before an abbreviated digest of the same letters. That the image can be
 * read is not certain: a name is found also if its manifest is gone.
 *
 * Return: 0, or a negative errno value (-ENOENT: no such image, with a hint; -EINVAL: not a
 * reference, or ambiguous)
 */
int sb_resolve(int store_dirfd, const char *text, struct sb_resolved *ret, struct sb_err *err)
{
	struct sb_resolved found = { .reference = "" };
	int r = resolve(store_dirfd, text, &found, err);

	if (r == 0)
		*ret = found;
	return r;
}
