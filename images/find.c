/* SPDX-License-Identifier: Apache-2.0 */
/* find.c - from a name to an image: what a registry has under it, for one platform */
#include "images/find.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "images/index.h"
#include "images/reader.h"
#include "images/reference.h"
#include "images/tar.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/err.h"
#include "runtime/base/json.h"

/* A registry as a place that blobs come from; manifests and indexes are kept in @found. */
struct source {
	struct sb_registry *registry;
	struct sb_found *found;
};

/* Ask for a manifest or an index that was not asked for before. */
static int get_document(struct source *s, const char *what, const struct sb_registry_manifest **ret,
			struct sb_err *err)
{
	struct sb_found *found = s->found;
	int r;

	for (size_t i = 0; i < found->n_documents; i++) {
		*ret = &found->documents[i];
		if (!strcmp((*ret)->digest, what))
			return 0;
	}
	if (found->n_documents == SB_IMAGE_DOCUMENTS_MAX)
		return sb_err_refuse(err, EPROTO, "the image has too many indexes");
	r = sb_registry_get_manifest(s->registry, what, &found->documents[found->n_documents], err);
	if (r < 0)
		return r;
	*ret = &found->documents[found->n_documents++];
	return 0;
}

static int read_blob(void *ctx, const struct sb_blob_wanted *wanted, char **ret, size_t *ret_len,
		     struct sb_err *err)
{
	const struct sb_registry_manifest *m = NULL;
	struct source *s = ctx;

	if (!wanted->is_manifest) {
		*ret_len = wanted->size;
		return sb_registry_get_small_blob(s->registry, wanted->digest, wanted->size, ret,
						  err);
	}
	if (get_document(s, wanted->digest, &m, err) < 0)
		return -err->code;
	*ret = malloc(m->len + 1);
	if (!*ret)
		return sb_err_set(err, ENOMEM, "read a manifest");
	memcpy(*ret, m->data, m->len + 1);
	*ret_len = m->len;
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
static int choose(struct source *s, const struct sb_registry_manifest *first, json_t **ret,
		  struct sb_err *err)
{
	const struct sb_blob_reader from = { .read = read_blob, .ctx = s };
	enum sb_manifest_kind kind = sb_manifest_kind_of(first->type);
	_cleanup_json_ json_t *top =
		json_pack("[{s:s, s:s, s:I}]", "mediaType", first->type, "digest", first->digest,
			  "size", (json_int_t)first->len);

	if (kind == SB_MANIFEST_OTHER)
		return refuse_type(first->type, err);
	if (!top)
		return sb_err_set(err, ENOMEM, "read a manifest");
	if (kind == SB_MANIFEST_INDEX)
		return sb_index_choose(&from, top, NULL, &s->found->image.platform, ret, err);
	*ret = json_incref(json_array_get(top, 0));
	return 0;
}

/**
 * sb_find_image() - Find an image in a registry and read its manifest and config
 * @registry:	registry, for the repository of @ref
 * @ref:	name; its digest goes before its tag
 * @known:	digest that the name is known to have stood for; "": unknown
 * @ret:	zeroed but for the platform of its image; filled in, after a failure in part.
 *		The process that looks ends with it, so nothing frees it
 *
 * Return: 0, 1: the name stands for @known, nothing was read, or a negative errno value
 */
int sb_find_image(struct sb_registry *registry, const struct sb_image_ref *ref, const char *known,
		  struct sb_found *ret, struct sb_err *err)
{
	const char *what = ref->digest[0] ? ref->digest : ref->tag;
	struct source s = { .registry = registry, .found = ret };
	const struct sb_blob_reader from = { .read = read_blob, .ctx = &s };
	const struct sb_registry_manifest *first = NULL;
	_cleanup_json_ json_t *descriptor = NULL;
	char familiar[SB_REFERENCE_SIZE];
	int r;

	if (known[0]) {
		if (sb_registry_head_manifest(registry, what, ret->stands_for, err) < 0)
			return -err->code;
		if (!strcmp(ret->stands_for, known))
			return 1;
	}
	if (get_document(&s, what, &first, err) < 0)
		return -err->code;
	memcpy(ret->stands_for, first->digest, sizeof(ret->stands_for));
	r = choose(&s, first, &descriptor, err);
	if (r == -EINVAL) {
		sb_reference_familiar(ref, familiar, sizeof(familiar));
		err->hint[0] = '\0'; /* it would be about archives */
		return sb_err_prefix(err, "'%.100s'", familiar);
	}
	if (r < 0)
		return r;
	return sb_manifest_read(&from, descriptor, &ret->image, err);
}
