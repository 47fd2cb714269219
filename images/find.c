/* SPDX-License-Identifier: Apache-2.0 */
/* find.c - from a name to an image: what a registry has under it, for one platform */
#include "images/find.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "images/index.h"
#include "images/reader.h"
#include "images/reference.h"
#include "images/registry.h"
#include "images/tar.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/err.h"
#include "runtime/base/json.h"

/* A registry as a place that blobs come from. @first is what the name stood for: not asked twice.
 */
struct source {
	struct sb_registry *registry;
	struct sb_registry_manifest first;
};

static int read_blob(void *ctx, const struct sb_blob_wanted *wanted, char **ret, size_t *ret_len,
		     struct sb_err *err)
{
	struct source *s = ctx;
	struct sb_registry_manifest m = { .data = NULL };

	if (!wanted->is_manifest) {
		*ret_len = wanted->size;
		return sb_registry_get_small_blob(s->registry, wanted->digest, wanted->size, ret,
						  err);
	}
	if (s->first.data && !strcmp(s->first.digest, wanted->digest)) {
		*ret = sb_steal_ptr(&s->first.data);
		*ret_len = s->first.len;
		return 0;
	}
	if (sb_registry_get_manifest(s->registry, wanted->digest, &m, err) < 0)
		return -err->code;
	*ret = m.data;
	*ret_len = m.len;
	return 0;
}

static int refuse_type(const char *type, struct sb_err *err)
{
	char shown[SB_TAR_SHOWN_SIZE];

	/* "Image Manifest Version 2, Schema 1", withdrawn by docker in 2019. */
	if (strstr(type, "manifest.v1+"))
		return sb_err_refuse(err, EPROTO,
				     "the image is in a format of before 2016 (schema 1)");
	return sb_err_refuse(err, EPROTO, "the registry sent '%s' for a manifest",
			     sb_tar_shown(type, shown));
}

/* The descriptor of the image's manifest: of what the name stands for, or of an entry of that. */
static int choose(struct source *s, const struct sb_platform *platform, json_t **ret,
		  struct sb_err *err)
{
	const struct sb_blob_reader from = { .read = read_blob, .ctx = s };
	enum sb_manifest_kind kind = sb_manifest_kind_of(s->first.type);
	_cleanup_json_ json_t *top =
		json_pack("[{s:s, s:s, s:I}]", "mediaType", s->first.type, "digest",
			  s->first.digest, "size", (json_int_t)s->first.len);

	if (kind == SB_MANIFEST_OTHER)
		return refuse_type(s->first.type, err);
	if (!top)
		return sb_err_set(err, ENOMEM, "read a manifest");
	if (kind == SB_MANIFEST_INDEX)
		return sb_index_choose(&from, top, NULL, platform, ret, err);
	*ret = json_incref(json_array_get(top, 0));
	return 0;
}

/**
 * sb_find_image() - Find an image in a registry and read its manifest and config
 * @registry:	registry, for the repository of @ref
 * @ref:	name; its digest goes before its tag
 * @known:	digest that the name is known to have stood for; "": unknown
 * @ret:	zeroed but for the platform; on failure it may hold a part
 * @ret_stands_for:	digest of what the name stands for, of an index or the manifest; room for
 *		SB_DIGEST_SIZE bytes, written on success only
 *
 * Return: 0, 1: the name stands for @known, nothing was read, or a negative errno value
 */
int sb_find_image(struct sb_registry *registry, const struct sb_image_ref *ref, const char *known,
		  struct sb_incoming *ret, char *ret_stands_for, struct sb_err *err)
{
	const char *what = ref->digest[0] ? ref->digest : ref->tag;
	struct source s = { .registry = registry };
	const struct sb_blob_reader from = { .read = read_blob, .ctx = &s };
	_cleanup_json_ json_t *descriptor = NULL;
	char digest[SB_DIGEST_SIZE];
	int r;

	if (known[0]) {
		if (sb_registry_head_manifest(registry, what, digest, err) < 0)
			return -err->code;
		if (!strcmp(digest, known))
			return 1;
	}
	if (sb_registry_get_manifest(registry, what, &s.first, err) < 0)
		return -err->code;
	memcpy(digest, s.first.digest, sizeof(digest));
	r = choose(&s, &ret->platform, &descriptor, err);
	if (r == 0)
		r = sb_manifest_read(&from, descriptor, ret, err);
	sb_registry_manifest_done(&s.first);
	if (r == 0)
		memcpy(ret_stands_for, digest, sizeof(digest));
	return r;
}
