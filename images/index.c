/* SPDX-License-Identifier: Apache-2.0 */
/* index.c - the one image for a platform among those of an index (image-index.md) */
#include "images/index.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "images/document.h"
#include "images/manifest.h"
#include "images/platform.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/err.h"
#include "runtime/base/json.h"

#define NESTING_MAX 4  /* indexes in indexes */
#define INDEXES_MAX 64 /* that are read: one may list another again and again */

/* The best manifest found so far among alternatives. */
struct choice {
	const struct sb_blob_reader *from;
	const struct sb_platform *platform;
	json_t *descriptor; /* owned reference; NULL: none fits */
	enum sb_platform_fit fit;
	unsigned int *indexes; /* how many were read */
	unsigned int n_best;   /* different manifests that fit as well as the best one */
};

static const char *annotation(const json_t *descriptor, const char *key)
{
	return json_string_value(json_object_get(json_object_get(descriptor, "annotations"), key));
}

/**
 * sb_index_name_of() - The name that an entry of an index was given
 * @descriptor:	entry
 *
 * containerd and docker keep the full name apart.
 *
 * Return: borrowed from @descriptor, may be any text; NULL if there is none
 */
const char *sb_index_name_of(const json_t *descriptor)
{
	const char *full = annotation(descriptor, "io.containerd.image.name");

	return full ? full : annotation(descriptor, "org.opencontainers.image.ref.name");
}

/* BuildKit puts provenance beside images: as "unknown/unknown", and with this annotation. */
static bool is_attestation(const json_t *descriptor)
{
	return annotation(descriptor, "vnd.docker.reference.type") != NULL;
}

static void consider_manifest(struct choice *c, json_t *descriptor)
{
	enum sb_platform_fit fit =
		sb_platform_fit_of(json_object_get(descriptor, "platform"), c->platform);
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
	struct choice inner = { .from = c->from, .platform = c->platform, .indexes = c->indexes };
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
	if (++*c->indexes > INDEXES_MAX)
		return sb_err_refuse(err, EPROTO, "image indexes list more than %d others",
				     INDEXES_MAX);
	if (sb_manifest_read_blob(c->from, descriptor, "image index", &text, &len, err) < 0 ||
	    sb_manifest_parse(text, len, type, &index, err) < 0)
		return -err->code;
	json_array_foreach(json_object_get(index, "manifests"), i, d) if (r == 0) r =
		consider(&inner, d, depth + 1, err);
	/* An index offers one image per platform: the first that fits best is meant. */
	if (r == 0 && inner.descriptor)
		consider_manifest(c, inner.descriptor);
	json_decref(inner.descriptor);
	return r;
}

/**
 * sb_index_choose() - Find the one image for a platform
 * @from:	where nested indexes are read from
 * @entries:	descriptors of an index
 * @name:	only entries with this name count (sb_index_name_of()); NULL: all
 * @platform:	platform
 * @ret:	descriptor of a manifest; the caller drops it
 *
 * Return: 0, or a negative errno value (-EINVAL: none fits, or several)
 */
int sb_index_choose(const struct sb_blob_reader *from, const json_t *entries, const char *name,
		    const struct sb_platform *platform, json_t **ret, struct sb_err *err)
{
	unsigned int indexes = 0;
	struct choice c = { .from = from, .platform = platform, .indexes = &indexes };
	char shown[SB_PLATFORM_SIZE];
	json_t *d;
	size_t i;
	int r = 0;

	json_array_foreach(entries, i, d)
	{
		const char *own = sb_index_name_of(d);

		if (r == 0 && (!name || (own && !strcmp(own, name))))
			r = consider(&c, d, 0, err);
	}
	if (r == 0 && !c.descriptor)
		r = sb_err_refuse(err, EINVAL, "there is no image for %s",
				  sb_platform_format(platform, shown));
	if (r == 0 && c.n_best > 1) {
		sb_err_refuse(err, EINVAL, "there are %u images for %s", c.n_best,
			      sb_platform_format(platform, shown));
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

/**
 * sb_index_resolve() - From what a name stands for to the manifest for a platform
 * @from:	where blobs are read from
 * @top:	digest of an index or a manifest
 * @size:	its bytes
 * @platform:	platform
 * @ret:	descriptor of the manifest; the caller drops it
 *
 * What @top is, it says itself: whoever believes its digest believes that too.
 *
 * Return: 0, or a negative errno value as sb_index_choose()
 */
int sb_index_resolve(const struct sb_blob_reader *from, const char *top, uint64_t size,
		     const struct sb_platform *platform, json_t **ret, struct sb_err *err)
{
	_cleanup_json_ json_t *entries =
		json_pack("[{s:s, s:I}]", "digest", top, "size", (json_int_t)size);
	json_t *descriptor = json_array_get(entries, 0);
	_cleanup_json_ json_t *document = NULL;
	_cleanup_free_ char *text = NULL;
	const char *type = SB_MEDIA_TYPE_INDEX;
	size_t len;

	if (!descriptor)
		return sb_err_set(err, ENOMEM, "read a manifest");
	if (sb_manifest_read_blob(from, descriptor, "image manifest", &text, &len, err) < 0 ||
	    sb_document_parse(text, len, &document, err) < 0)
		return sb_err_prefix(err, "image manifest");
	if (!json_object_get(document, "manifests")) {
		*ret = json_incref(descriptor);
		return 0;
	}
	if (sb_json_get_str(document, "mediaType", &type, err) < 0 ||
	    json_object_set_new(descriptor, "mediaType", json_string(type)) < 0)
		return sb_err_set(err, EPROTO, "read an image index");
	return sb_index_choose(from, entries, NULL, platform, ret, err);
}
