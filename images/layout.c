/* SPDX-License-Identifier: Apache-2.0 */
/*
 * layout.c - images of an OCI layout (image-layout.md), as a directory or a tar
 *
 * index.json lists manifests and indexes; an annotation may name them. An index stands for one
 * image per platform, of which the one for this machine is taken. Names that are no full references
 * (skopeo and buildah write the bare tag) are not guessed at: the user has to give one.
 */
#include "images/layout.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "images/bundle.h"
#include "images/index.h"
#include "images/manifest.h"
#include "images/reader.h"
#include "images/reference.h"
#include "images/store.h"
#include "images/tar.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/err.h"
#include "runtime/base/json.h"

/* "3.12-slim" may be a tag or a name; only what can't be a tag counts as a full reference. */
static bool is_reference(const char *name)
{
	return name && strpbrk(name, "/:@");
}

static int read_blob(void *ctx, const struct sb_blob_wanted *wanted, char **ret, size_t *ret_len,
		     struct sb_err *err)
{
	char path[SB_DIGEST_PATH_SIZE];

	sb_digest_layout_path(wanted->digest, path);
	return sb_bundle_read(ctx, path, SB_CONFIG_MAX_BYTES, ret, ret_len, err);
}

static struct sb_blob_reader reader_of(struct sb_bundle *bundle)
{
	return (struct sb_blob_reader){ .read = read_blob, .ctx = bundle };
}

/* Read the image among the entries called @entry_name and let it have @reference. */
static int add_image(struct sb_bundle *bundle, const json_t *entries, const char *entry_name,
		     const char *reference, struct sb_incoming_list *list, struct sb_err *err)
{
	const struct sb_blob_reader from = reader_of(bundle);
	_cleanup_json_ json_t *descriptor = NULL;
	struct sb_incoming *image;
	char full[SB_REFERENCE_SIZE];

	if (sb_reference_complete(reference, full, sizeof(full), err) < 0 ||
	    sb_index_choose(&from, entries, entry_name, &list->platform, &descriptor, err) < 0)
		return -err->code;
	image = sb_incoming_add(list, err);
	if (!image || sb_manifest_read(&from, descriptor, image, err) < 0)
		return -err->code;
	return sb_incoming_name(list, full, err);
}

/* Whether an entry before @i has the same name. */
static bool seen_before(const json_t *entries, size_t i, const char *name)
{
	for (size_t k = 0; k < i; k++) {
		const char *own = sb_index_name_of(json_array_get(entries, k));

		if (own && !strcmp(own, name))
			return true;
	}
	return false;
}

static int refuse_nameless(const char *tag, struct sb_err *err)
{
	char shown[SB_TAR_SHOWN_SIZE];

	if (!tag) {
		sb_err_refuse(err, EINVAL, "the image has no name");
		return sb_err_hint(err, "give it one with --name, as in --name myimage:latest");
	}
	sb_err_refuse(err, EINVAL, "the image has no full name, only '%s'",
		      sb_tar_shown(tag, shown));
	return sb_err_hint(err, "give it one with --name, as in --name myimage:%.60s", shown);
}

/**
 * sb_layout_read() - Read the images of an OCI layout
 * @bundle:	layout
 * @name:	reference for its only image for this machine; NULL: all that have names, by these
 * @ret:	images are appended; on failure it may hold a part
 *
 * Return: 0, or a negative errno value (-ENOENT: not a layout, -EINVAL: nothing to load, with a
 * hint)
 */
int sb_layout_read(struct sb_bundle *bundle, const char *name, struct sb_incoming_list *ret,
		   struct sb_err *err)
{
	_cleanup_free_ char *text = NULL;
	_cleanup_json_ json_t *index = NULL;
	const char *nameless = NULL;
	const json_t *entries;
	json_t *d;
	size_t len, i;

	if (sb_bundle_read(bundle, "index.json", SB_MANIFEST_MAX_BYTES, &text, &len, err) < 0 ||
	    sb_manifest_parse(text, len, SB_MEDIA_TYPE_INDEX, &index, err) < 0)
		return -err->code;
	entries = json_object_get(index, "manifests");
	if (!json_is_array(entries) || json_array_size(entries) == 0)
		return sb_err_refuse(err, EINVAL, "the archive holds no image");
	if (name)
		return add_image(bundle, entries, NULL, name, ret, err);
	json_array_foreach(entries, i, d)
	{
		const char *own = sb_index_name_of(d);

		if (!is_reference(own)) {
			nameless = own;
			continue;
		}
		if (!seen_before(entries, i, own) &&
		    add_image(bundle, entries, own, own, ret, err) < 0)
			return -err->code;
	}
	return ret->n > 0 ? 0 : refuse_nameless(nameless, err);
}

/**
 * sb_layout_read_fetched() - Read the one image that a registry has sent
 * @bundle:	its blobs
 * @top:	digest of what its name stands for: the manifest, or an index that leads there
 * @name:	full reference; may be ""
 * @ret:	the image is appended; on failure it may hold a part
 *
 * Return: 0, or a negative errno value
 */
int sb_layout_read_fetched(struct sb_bundle *bundle, const char *top, const char *name,
			   struct sb_incoming_list *ret, struct sb_err *err)
{
	const struct sb_blob_reader from = reader_of(bundle);
	_cleanup_json_ json_t *descriptor = NULL;
	struct sb_incoming *image = sb_incoming_add(ret, err);
	char path[SB_DIGEST_PATH_SIZE];
	struct sb_span span;

	sb_digest_layout_path(top, path);
	if (!image || sb_bundle_find(bundle, path, &span, err) < 0 ||
	    sb_index_resolve(&from, top, span.size, &ret->platform, &descriptor, err) < 0 ||
	    sb_manifest_read(&from, descriptor, image, err) < 0)
		return -err->code;
	return sb_strv_add(&image->references, name, err);
}
