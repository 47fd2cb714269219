/* SPDX-License-Identifier: Apache-2.0 */
/*
 * docker.c - images of an archive by "docker save" and others (manifest.json)
 *
 * moby's image/spec "Image JSON": manifest.json is a list of {"Config", "RepoTags", "Layers"}, the
 * paths of a config and of uncompressed layer tars. Older versions of docker write a layer that
 * occurs twice as a link. Nothing has a digest but the config, by its file name; the config vouches
 * for the layers by their diff_ids. The store wants a manifest, so one is made.
 */
#include "images/docker.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "images/bundle.h"
#include "images/document.h"
#include "images/hash.h"
#include "images/manifest.h"
#include "images/reference.h"
#include "images/store.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/err.h"
#include "runtime/base/json.h"

#define HEX "0123456789abcdef"

/* The config's file is called after its digest: "<hex>.json" or "blobs/sha256/<hex>". */
static int check_config_name(const char *file, const char *digest, struct sb_err *err)
{
	const char *slash = strrchr(file, '/');
	const char *base = slash ? slash + 1 : file;
	size_t n = strspn(base, HEX);

	if (n != SB_DIGEST_HEX_LEN || (base[n] && strcmp(base + n, ".json") != 0))
		return 0;
	if (!strncmp(base, strchr(digest, ':') + 1, n))
		return 0;
	return sb_err_refuse(err, EPROTO, "the image config has digest %s, not that of its name",
			     digest);
}

static int take_layers(struct sb_incoming *image, const struct sb_strv *files, struct sb_err *err)
{
	image->layers = calloc(files->n + 1, sizeof(*image->layers));
	if (!image->layers)
		return sb_err_set(err, ENOMEM, "read 'manifest.json'");
	for (; image->n_layers < files->n; image->n_layers++) {
		struct sb_incoming_layer *l = &image->layers[image->n_layers];

		l->size = SB_LAYER_SIZE_ANY;
		l->file = strdup(files->v[image->n_layers]);
		if (!l->file)
			return sb_err_set(err, ENOMEM, "read 'manifest.json'");
	}
	return 0;
}

/* Config and layers of one element of manifest.json. */
static int take_image(struct sb_bundle *bundle, const json_t *element, struct sb_incoming *image,
		      struct sb_err *err)
{
	static const char *const keys[] = { "Config", "RepoTags", "Layers" };
	struct sb_strv files = SB_STRV_INIT;
	const char *config = NULL;
	int r;

	if (sb_document_check_keys(element, keys, SB_ARRAY_SIZE(keys), err) < 0 ||
	    sb_json_need_str(element, "Config", &config, err) < 0)
		return sb_err_prefix(err, "'manifest.json'");
	if (sb_bundle_read(bundle, config, SB_CONFIG_MAX_BYTES, &image->config, &image->config_len,
			   err) < 0 ||
	    sb_hash_buffer(image->config, image->config_len, image->config_digest, err) < 0 ||
	    check_config_name(config, image->config_digest, err) < 0)
		return -err->code;
	r = sb_json_get_strv(element, "Layers", &files, err);
	if (r == 0)
		r = take_layers(image, &files, err);
	sb_strv_done(&files);
	return r < 0 ? r : sb_manifest_take_config(image, err);
}

static int add_reference(struct sb_incoming_list *list, const char *name, struct sb_err *err)
{
	char full[SB_REFERENCE_SIZE];

	if (sb_reference_complete(name, full, sizeof(full), err) < 0)
		return -err->code;
	return sb_incoming_name(list, full, err);
}

/* Give the last image of @list the name of the user or those of the archive. Return: 0, 1: it has
 * none, or < 0 */
static int take_references(const json_t *element, const char *name, struct sb_incoming_list *list,
			   struct sb_err *err)
{
	struct sb_strv tags = SB_STRV_INIT;
	int r;

	if (name)
		return add_reference(list, name, err);
	r = sb_json_get_strv(element, "RepoTags", &tags, err);
	for (size_t i = 0; r == 0 && i < tags.n; i++)
		r = add_reference(list, tags.v[i], err);
	if (r == 0 && tags.n == 0)
		r = 1;
	sb_strv_done(&tags);
	return r;
}

/**
 * sb_docker_read() - Read the images of a docker archive
 * @bundle:	archive
 * @name:	reference for its only image; NULL: all that have names, by these
 * @ret:	images without manifests are appended; on failure it may hold a part
 *
 * Return: 0, or a negative errno value (-ENOENT: not such an archive, -EINVAL: nothing to load,
 * with a hint)
 */
int sb_docker_read(struct sb_bundle *bundle, const char *name, struct sb_incoming_list *ret,
		   struct sb_err *err)
{
	_cleanup_free_ char *text = NULL;
	_cleanup_json_ json_t *list = NULL;
	json_t *element;
	size_t len, i, nameless = 0;

	if (sb_bundle_read(bundle, "manifest.json", SB_MANIFEST_MAX_BYTES, &text, &len, err) < 0)
		return -err->code;
	if (sb_document_parse(text, len, &list, err) < 0)
		return sb_err_prefix(err, "'manifest.json'");
	if (!json_is_array(list) || json_array_size(list) == 0)
		return sb_err_refuse(err, EPROTO, "'manifest.json' is not a list of images");
	if (name && json_array_size(list) > 1) {
		sb_err_refuse(err, EINVAL, "the archive holds %zu images", json_array_size(list));
		return sb_err_hint(err, "without --name all that have names are loaded");
	}
	json_array_foreach(list, i, element)
	{
		struct sb_incoming *image = sb_incoming_add(ret, err);
		int r;

		if (!image)
			return -err->code;
		r = take_references(element, name, ret, err);
		if (r < 0 || (r == 0 && take_image(bundle, element, image, err) < 0))
			return -err->code;
		if (r == 1) {
			nameless++;
			ret->n--; /* it owns nothing yet */
		}
	}
	if (nameless < json_array_size(list))
		return 0;
	sb_err_refuse(err, EINVAL, "the image has no name");
	return sb_err_hint(err, "give it one with --name, as in --name myimage:latest");
}

/**
 * sb_docker_make_manifest() - Make the manifest that a docker archive lacks
 * @image:	gets manifest and digest
 * @tar_bytes:	length of the uncompressed tar of each layer
 *
 * It lists the layers uncompressed, since these are the digests that are known; the same image gets
 * the same manifest from every archive.
 *
 * Return: 0 or -ENOMEM
 */
int sb_docker_make_manifest(struct sb_incoming *image, const uint64_t *tar_bytes,
			    struct sb_err *err)
{
	_cleanup_json_ json_t *layers = json_array();
	_cleanup_json_ json_t *m = NULL;

	for (size_t i = 0; i < image->n_layers; i++) {
		json_t *l = json_pack("{s:s, s:s, s:I}", "mediaType",
				      "application/vnd.oci.image.layer.v1.tar", "digest",
				      image->layers[i].diff_id, "size", (json_int_t)tar_bytes[i]);

		if (!l || json_array_append_new(layers, l) < 0)
			return sb_err_set(err, ENOMEM, "make a manifest");
	}
	m = json_pack("{s:i, s:s, s:{s:s, s:s, s:I}, s:O}", "schemaVersion", 2, "mediaType",
		      "application/vnd.oci.image.manifest.v1+json", "config", "mediaType",
		      "application/vnd.oci.image.config.v1+json", "digest", image->config_digest,
		      "size", (json_int_t)image->config_len, "layers", layers);
	image->manifest = m ? json_dumps(m, JSON_COMPACT) : NULL;
	if (!image->manifest)
		return sb_err_set(err, ENOMEM, "make a manifest");
	image->manifest_len = strlen(image->manifest);
	return sb_hash_buffer(image->manifest, image->manifest_len, image->digest, err);
}
