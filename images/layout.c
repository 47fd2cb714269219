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
#include "images/manifest.h"
#include "images/platform.h"
#include "images/reference.h"
#include "images/store.h"
#include "images/tar.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/err.h"
#include "runtime/base/json.h"

#define NESTING_MAX 4 /* indexes in indexes */

/* The best manifest found so far among alternatives. */
struct choice {
	const struct sb_bundle *bundle;
	json_t *descriptor; /* owned reference; NULL: none fits */
	enum sb_platform_fit fit;
	unsigned int n_best; /* different manifests that fit as well as the best one */
};

static const char *annotation(const json_t *descriptor, const char *key)
{
	return json_string_value(json_object_get(json_object_get(descriptor, "annotations"), key));
}

/* The name an entry of index.json was given; containerd and docker keep the full one apart. */
static const char *name_of(const json_t *descriptor)
{
	const char *full = annotation(descriptor, "io.containerd.image.name");

	return full ? full : annotation(descriptor, "org.opencontainers.image.ref.name");
}

/* "3.12-slim" may be a tag or a name; only what can't be a tag counts as a full reference. */
static bool is_reference(const char *name)
{
	return name && strpbrk(name, "/:@");
}

/* BuildKit puts provenance beside images: as "unknown/unknown", and with this annotation. */
static bool is_attestation(const json_t *descriptor)
{
	return annotation(descriptor, "vnd.docker.reference.type") != NULL;
}

static void consider_manifest(struct choice *c, json_t *descriptor)
{
	enum sb_platform_fit fit = sb_platform_fit_of(json_object_get(descriptor, "platform"));
	const char *digest = json_string_value(json_object_get(descriptor, "digest"));
	const char *best = json_string_value(json_object_get(c->descriptor, "digest"));

	if (fit == SB_PLATFORM_NO || !digest)
		return;
	if (fit == c->fit && best && strcmp(best, digest) != 0)
		c->n_best++;
	if (fit <= c->fit)
		return;
	json_decref(c->descriptor);
	c->descriptor = json_incref(descriptor);
	c->fit = fit;
	c->n_best = 1;
}

/* Consider an entry of an index, and what lies behind it if that is an index again. */
static int consider(struct choice *c, json_t *descriptor, int depth, struct sb_err *err)
{
	struct choice inner = { .bundle = c->bundle };
	_cleanup_free_ char *text = NULL;
	_cleanup_json_ json_t *index = NULL;
	enum sb_manifest_kind kind;
	const char *type = NULL;
	json_t *d;
	size_t len, i;
	int r = 0;

	if (sb_json_need_str(descriptor, "mediaType", &type, err) < 0)
		return sb_err_prefix(err, "image index");
	kind = sb_manifest_kind_of(type);
	/* The specification wants unknown types to be passed over. */
	if (kind == SB_MANIFEST_OTHER || is_attestation(descriptor))
		return 0;
	if (kind == SB_MANIFEST_IMAGE) {
		consider_manifest(c, descriptor);
		return 0;
	}
	if (depth == NESTING_MAX)
		return sb_err_refuse(err, EPROTO, "image indexes are nested too deep");
	if (sb_manifest_read_blob(c->bundle, descriptor, "image index", &text, &len, err) < 0 ||
	    sb_manifest_parse(text, len, SB_MANIFEST_INDEX, &index, err) < 0)
		return -err->code;
	json_array_foreach(json_object_get(index, "manifests"), i, d) if (r == 0) r =
		consider(&inner, d, depth + 1, err);
	/* An index offers one image per platform: the first that fits best is meant. */
	if (r == 0 && inner.descriptor)
		consider_manifest(c, inner.descriptor);
	json_decref(inner.descriptor);
	return r;
}

/* The one image for this machine among the entries called @name (NULL: among all). */
static int choose(const struct sb_bundle *bundle, const json_t *entries, const char *name,
		  json_t **ret, struct sb_err *err)
{
	struct choice c = { .bundle = bundle };
	json_t *d;
	size_t i;
	int r = 0;

	json_array_foreach(entries, i, d)
	{
		const char *own = name_of(d);

		if (r == 0 && (!name || (own && !strcmp(own, name))))
			r = consider(&c, d, 0, err);
	}
	if (r == 0 && !c.descriptor)
		r = sb_err_refuse(err, EINVAL, "the archive holds no image for linux/%s",
				  sb_platform_architecture());
	if (r == 0 && c.n_best > 1) {
		sb_err_refuse(err, EINVAL, "the archive holds %u images for this machine",
			      c.n_best);
		r = sb_err_hint(err,
				"give an archive with one image, or one where each has a name");
	}
	if (r < 0) {
		json_decref(c.descriptor);
		return r;
	}
	*ret = c.descriptor;
	return 0;
}

/* Read the image among the entries called @entry_name and let it have @reference. */
static int add_image(const struct sb_bundle *bundle, const json_t *entries, const char *entry_name,
		     const char *reference, struct sb_incoming_list *list, struct sb_err *err)
{
	_cleanup_json_ json_t *descriptor = NULL;
	struct sb_incoming *image;
	char full[SB_REFERENCE_SIZE];

	if (sb_reference_complete(reference, full, sizeof(full), err) < 0 ||
	    choose(bundle, entries, entry_name, &descriptor, err) < 0)
		return -err->code;
	image = sb_incoming_add(list, err);
	if (!image || sb_manifest_read(bundle, descriptor, image, err) < 0)
		return -err->code;
	return sb_strv_add(&image->references, full, err);
}

/* Whether an entry before @i has the same name. */
static bool seen_before(const json_t *entries, size_t i, const char *name)
{
	for (size_t k = 0; k < i; k++) {
		const char *own = name_of(json_array_get(entries, k));

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
int sb_layout_read(const struct sb_bundle *bundle, const char *name, struct sb_incoming_list *ret,
		   struct sb_err *err)
{
	_cleanup_free_ char *text = NULL;
	_cleanup_json_ json_t *index = NULL;
	const char *nameless = NULL;
	const json_t *entries;
	json_t *d;
	size_t len, i;

	if (sb_bundle_read(bundle, "index.json", SB_MANIFEST_MAX_BYTES, &text, &len, err) < 0 ||
	    sb_manifest_parse(text, len, SB_MANIFEST_INDEX, &index, err) < 0)
		return -err->code;
	entries = json_object_get(index, "manifests");
	if (!json_is_array(entries) || json_array_size(entries) == 0)
		return sb_err_refuse(err, EINVAL, "the archive holds no image");
	if (name)
		return add_image(bundle, entries, NULL, name, ret, err);
	json_array_foreach(entries, i, d)
	{
		const char *own = name_of(d);

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
