/* SPDX-License-Identifier: Apache-2.0 */
/*
 * manifest.c - an image on its way into the store: verified manifest, config and list of layers
 *
 * OCI image-spec manifest.md and descriptor.md; Docker's "Image Manifest Version 2, Schema 2" has
 * the same fields. Nothing is believed that a digest does not vouch for, and no digest takes part
 * in a path before its grammar is checked (CVE-2024-3727).
 */
#include "images/manifest.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#include "images/config.h"
#include "images/document.h"
#include "images/hash.h"
#include "images/image.h"
#include "images/store.h"
#include "images/reader.h"
#include "images/tar.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/err.h"
#include "runtime/base/json.h"

#define OCI    "application/vnd.oci.image."
#define DOCKER "application/vnd.docker."

#define REFERENCES_MAX 1000 /* that one archive may give */

#define WHAT_CONFIG "image config" /* in messages; all else that is read here is a manifest */

#define BASE64 "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"

/**
 * sb_manifest_kind_of() - What kind of document a media type stands for
 * @media_type:	from a descriptor or a document
 *
 * Return: see enum sb_manifest_kind
 */
enum sb_manifest_kind sb_manifest_kind_of(const char *media_type)
{
	if (!strcmp(media_type, OCI "manifest.v1+json") ||
	    !strcmp(media_type, DOCKER "distribution.manifest.v2+json"))
		return SB_MANIFEST_IMAGE;
	if (!strcmp(media_type, OCI "index.v1+json") ||
	    !strcmp(media_type, DOCKER "distribution.manifest.list.v2+json"))
		return SB_MANIFEST_INDEX;
	return SB_MANIFEST_OTHER;
}

/* A layer of a type that we can unpack; how it is compressed is read from the blob itself. */
static int check_layer_type(const char *type, struct sb_err *err)
{
	static const char *const known[] = {
		OCI "layer.v1.tar",
		OCI "layer.v1.tar+gzip",
		OCI "layer.v1.tar+zstd",
		OCI "layer.nondistributable.v1.tar",
		OCI "layer.nondistributable.v1.tar+gzip",
		OCI "layer.nondistributable.v1.tar+zstd",
		DOCKER "image.rootfs.diff.tar",
		DOCKER "image.rootfs.diff.tar.gzip",
		DOCKER "image.rootfs.diff.tar.zstd",
		DOCKER "image.rootfs.foreign.diff.tar.gzip",
	};
	char shown[SB_TAR_SHOWN_SIZE];

	for (size_t i = 0; i < SB_ARRAY_SIZE(known); i++)
		if (!strcmp(type, known[i]))
			return 0;
	return sb_err_refuse(err, EINVAL, "layers of type '%s' are not supported",
			     sb_tar_shown(type, shown));
}

/* Digest and size of a descriptor, checked. */
static int read_descriptor(const json_t *d, const char *what, char *ret_digest, uint64_t *ret_size,
			   struct sb_err *err)
{
	static const char *const keys[] = { "mediaType", "digest", "size", "data", "urls" };
	const char *digest = NULL;
	int64_t size = -1;

	if (!json_is_object(d))
		return sb_err_refuse(err, EPROTO, "descriptor of the %s is missing", what);
	if (sb_document_check_keys(d, keys, SB_ARRAY_SIZE(keys), err) < 0 ||
	    sb_json_need_str(d, "digest", &digest, err) < 0 ||
	    sb_json_get_int(d, "size", &size, err) < 0)
		return sb_err_prefix(err, "descriptor of the %s", what);
	if (sb_digest_check(digest, what, err) < 0)
		return -err->code;
	if (size < 0)
		return sb_err_refuse(err, EPROTO, "descriptor of the %s has no valid size", what);
	memcpy(ret_digest, digest, SB_DIGEST_SIZE);
	*ret_size = (uint64_t)size;
	return 0;
}

static int verify_blob(const char *data, size_t len, const char *digest, uint64_t size,
		       const char *what, struct sb_err *err)
{
	char actual[SB_DIGEST_SIZE];

	if (len != size)
		return sb_err_refuse(err, EPROTO, "the %s has %zu bytes, not %llu", what, len,
				     (unsigned long long)size);
	if (sb_hash_buffer(data, len, actual, err) < 0)
		return -err->code;
	if (strcmp(actual, digest) != 0)
		return sb_err_refuse(err, EPROTO, "the %s has digest %s, not %s", what, actual,
				     digest);
	return 0;
}

/* The content that a descriptor brings along as base64 (descriptor.md, "data").
 * Return: 1, 0: it brings none, or < 0 */
static int take_data(const json_t *descriptor, const char *what, char **ret, size_t *ret_len,
		     struct sb_err *err)
{
	_cleanup_free_ unsigned char *data = NULL;
	const char *text = NULL;
	size_t len, pad;
	int n;

	if (sb_json_get_str(descriptor, "data", &text, err) < 0)
		return sb_err_prefix(err, "descriptor of the %s", what);
	if (!text)
		return 0;
	len = strlen(text);
	pad = len >= 2 ? (size_t)(text[len - 1] == '=') + (size_t)(text[len - 2] == '=') : 0;
	data = malloc(len + 1);
	if (!data)
		return sb_err_set(err, ENOMEM, "read the %s", what);
	/* OpenSSL also takes white space, and counts the padding as bytes. */
	n = strspn(text, BASE64) == len - pad
		    ? EVP_DecodeBlock(data, (const unsigned char *)text, (int)len)
		    : -1;
	if (n < 0)
		return sb_err_refuse(err, EPROTO, "the data of the %s is not base64", what);
	*ret_len = (size_t)n - pad;
	*ret = (char *)sb_steal_ptr(&data);
	(*ret)[*ret_len] = '\0';
	return 1;
}

/**
 * sb_manifest_read_blob() - Read a small blob and verify it
 * @from:	where it is read from, unless the descriptor itself has its bytes
 * @descriptor:	digest and size it must have
 * @what:	what it is, for messages: "image config", or a manifest or index
 * @ret:	its bytes with a NUL appended, at most SB_CONFIG_MAX_BYTES; the caller frees them
 * @ret_len:	how many
 *
 * Return: 0, or a negative errno value (-EPROTO: not what the descriptor says)
 */
int sb_manifest_read_blob(const struct sb_blob_reader *from, const json_t *descriptor,
			  const char *what, char **ret, size_t *ret_len, struct sb_err *err)
{
	struct sb_blob_wanted wanted = { .is_manifest = strcmp(what, WHAT_CONFIG) != 0 };
	_cleanup_free_ char *text = NULL;
	char digest[SB_DIGEST_SIZE];
	uint64_t size = 0;
	size_t len = 0;
	int r;

	if (read_descriptor(descriptor, what, digest, &size, err) < 0)
		return -err->code;
	if (size > SB_CONFIG_MAX_BYTES)
		return sb_err_refuse(err, EPROTO, "the %s is longer than %d bytes", what,
				     SB_CONFIG_MAX_BYTES);
	r = take_data(descriptor, what, &text, &len, err);
	if (r == 0) {
		wanted.digest = digest;
		wanted.size = size;
		r = from->read(from->ctx, &wanted, &text, &len, err);
		if (r < 0)
			return sb_err_prefix(err, "%s", what);
	}
	if (r < 0 || verify_blob(text, len, digest, size, what, err) < 0)
		return -err->code;
	*ret = sb_steal_ptr(&text);
	*ret_len = len;
	return 0;
}

/**
 * sb_manifest_parse() - Parse a manifest or an index
 * @text:	JSON
 * @len:	its length
 * @media_type:	what the descriptor or the registry said it is; NULL: some image manifest
 * @ret:	an object; the caller drops it
 *
 * One document must not be read as a manifest by one program and as an index by another
 * (CVE-2021-41190), so keys of the other kind, keys that differ in case only, and another media
 * type than the descriptor's are refused.
 *
 * Return: 0 or -EPROTO
 */
int sb_manifest_parse(const char *text, size_t len, const char *media_type, json_t **ret,
		      struct sb_err *err)
{
	enum sb_manifest_kind kind =
		media_type ? sb_manifest_kind_of(media_type) : SB_MANIFEST_IMAGE;
	static const char *const keys[] = { "schemaVersion", "mediaType", "config",
					    "layers",        "manifests", "fsLayers" };
	const char *other = kind == SB_MANIFEST_INDEX ? "layers" : "manifests";
	const char *what = kind == SB_MANIFEST_INDEX ? "image index" : "image manifest";
	_cleanup_json_ json_t *m = NULL;
	const char *type = NULL;

	if (len > SB_MANIFEST_MAX_BYTES)
		return sb_err_refuse(err, EPROTO, "the %s is longer than %d bytes", what,
				     SB_MANIFEST_MAX_BYTES);
	if (sb_document_parse(text, len, &m, err) < 0)
		return sb_err_prefix(err, "%s", what);
	if (!json_is_object(m))
		return sb_err_refuse(err, EPROTO, "the %s is not an object", what);
	if (sb_document_check_keys(m, keys, SB_ARRAY_SIZE(keys), err) < 0)
		return sb_err_prefix(err, "%s", what);
	if (json_object_get(m, other) || json_object_get(m, "fsLayers") ||
	    (kind == SB_MANIFEST_INDEX && json_object_get(m, "config")))
		return sb_err_refuse(err, EPROTO, "the %s has keys of another document", what);
	if (json_integer_value(json_object_get(m, "schemaVersion")) != 2)
		return sb_err_refuse(err, EPROTO, "the %s is not of schema version 2", what);
	if (sb_json_get_str(m, "mediaType", &type, err) < 0)
		return sb_err_prefix(err, "%s", what);
	if (type &&
	    (media_type ? strcmp(type, media_type) != 0 : sb_manifest_kind_of(type) != kind))
		return sb_err_refuse(err, EPROTO, "the %s says it is of another media type", what);
	*ret = sb_steal_ptr(&m);
	return 0;
}

static int take_layers(struct sb_incoming *image, const json_t *layers, struct sb_err *err)
{
	const json_t *d;
	size_t i;

	if (!json_is_array(layers))
		return sb_err_refuse(err, EPROTO, "the image manifest has no list of layers");
	image->layers = calloc(json_array_size(layers) + 1, sizeof(*image->layers));
	if (!image->layers)
		return sb_err_set(err, ENOMEM, "read the image manifest");
	json_array_foreach(layers, i, d)
	{
		struct sb_incoming_layer *l = &image->layers[i];
		char name[SB_DIGEST_PATH_SIZE];
		const char *type = NULL;

		if (read_descriptor(d, "layer", l->digest, &l->size, err) < 0 ||
		    sb_json_need_str(d, "mediaType", &type, err) < 0 ||
		    check_layer_type(type, err) < 0)
			return -err->code;
		sb_digest_layout_path(l->digest, name);
		l->file = strdup(name);
		image->n_layers = i + 1;
		if (!l->file)
			return sb_err_set(err, ENOMEM, "read the image manifest");
		if (take_data(d, "layer", &l->data, &l->data_len, err) < 0 ||
		    (l->data &&
		     verify_blob(l->data, l->data_len, l->digest, l->size, "layer", err) < 0))
			return -err->code;
	}
	return 0;
}

/**
 * sb_manifest_take_config() - Check the config of an image and give its layers their diff_ids
 * @image:	@platform, @config and @layers are filled in
 *
 * Return: 0, or a negative errno value (-EINVAL: for another platform, -EPROTO: they don't match)
 */
int sb_manifest_take_config(struct sb_incoming *image, struct sb_err *err)
{
	struct sb_image parsed = SB_IMAGE_INIT;
	struct sb_strv diff_ids = SB_STRV_INIT;
	int r = sb_config_parse(image->config, image->config_len, &parsed, &diff_ids, err);

	if (r == 0)
		r = sb_platform_check(parsed.os, parsed.architecture, &image->platform, err);
	if (r == 0 && diff_ids.n != image->n_layers)
		r = sb_err_refuse(err, EPROTO, "the image has %zu layers, its config lists %zu",
				  image->n_layers, diff_ids.n);
	for (size_t i = 0; r == 0 && i < diff_ids.n; i++)
		memcpy(image->layers[i].diff_id, diff_ids.v[i], SB_DIGEST_SIZE);
	sb_strv_done(&diff_ids);
	sb_image_done(&parsed);
	return r;
}

/**
 * sb_manifest_read() - Read an image: manifest, config, list of layers
 * @from:	where from
 * @descriptor:	of its manifest
 * @ret:	zeroed but for @platform; all but the references is filled in. On failure it may
 *		hold a part
 *
 * Return: 0, or a negative errno value
 */
int sb_manifest_read(const struct sb_blob_reader *from, const json_t *descriptor,
		     struct sb_incoming *ret, struct sb_err *err)
{
	_cleanup_json_ json_t *m = NULL;
	const char *type = NULL;
	const json_t *config;
	uint64_t size;

	if (sb_json_get_str(descriptor, "mediaType", &type, err) < 0 ||
	    sb_manifest_read_blob(from, descriptor, "image manifest", &ret->manifest,
				  &ret->manifest_len, err) < 0 ||
	    read_descriptor(descriptor, "image manifest", ret->digest, &size, err) < 0 ||
	    sb_manifest_parse(ret->manifest, ret->manifest_len, type, &m, err) < 0)
		return -err->code;
	config = json_object_get(m, "config");
	if (read_descriptor(config, WHAT_CONFIG, ret->config_digest, &size, err) < 0 ||
	    sb_json_need_str(config, "mediaType", &type, err) < 0)
		return -err->code;
	if (strcmp(type, OCI "config.v1+json") != 0 &&
	    strcmp(type, DOCKER "container.image.v1+json") != 0)
		return sb_err_refuse(err, EINVAL, "this is other data than an image to be run");
	if (sb_manifest_read_blob(from, config, WHAT_CONFIG, &ret->config, &ret->config_len, err) <
		    0 ||
	    take_layers(ret, json_object_get(m, "layers"), err) < 0)
		return -err->code;
	return sb_manifest_take_config(ret, err);
}

/**
 * sb_incoming_add() - Append an empty image to a list
 * @list:	list
 *
 * Return: the image, owned by @list and valid until the next call, or NULL with @err set
 */
struct sb_incoming *sb_incoming_add(struct sb_incoming_list *list, struct sb_err *err)
{
	struct sb_incoming *v = realloc(list->v, (list->n + 1) * sizeof(*v));

	if (!v) {
		(void)sb_err_set(err, ENOMEM, "list the images of the archive");
		return NULL;
	}
	list->v = v;
	v[list->n] = (struct sb_incoming){ .platform = list->platform };
	return &v[list->n++];
}

/**
 * sb_incoming_done() - Free what an image holds; only its platform is left
 * @image:	image
 */
void sb_incoming_done(struct sb_incoming *image)
{
	sb_strv_done(&image->references);
	free(image->manifest);
	free(image->config);
	for (size_t k = 0; k < image->n_layers; k++) {
		free(image->layers[k].file);
		free(image->layers[k].data);
	}
	free(image->layers);
	*image = (struct sb_incoming){ .platform = image->platform };
}

/**
 * sb_incoming_name() - Give the last image of a list a name
 * @list:	not empty
 * @reference:	full reference; copied
 *
 * Each name becomes a file in the store, so an archive may not give any number.
 *
 * Return: 0, or a negative errno value (-EPROTO: too many)
 */
int sb_incoming_name(struct sb_incoming_list *list, const char *reference, struct sb_err *err)
{
	size_t n = 0;

	for (size_t i = 0; i < list->n; i++)
		n += list->v[i].references.n;
	if (n >= REFERENCES_MAX)
		return sb_err_refuse(err, EPROTO, "the archive has more than %d names for images",
				     REFERENCES_MAX);
	return sb_strv_add(&list->v[list->n - 1].references, reference, err);
}

/**
 * sb_incoming_list_done() - Free a list of images; it is empty afterwards
 * @list:	list
 */
void sb_incoming_list_done(struct sb_incoming_list *list)
{
	for (size_t i = 0; i < list->n; i++)
		sb_incoming_done(&list->v[i]);
	free(list->v);
	*list = (struct sb_incoming_list){ .platform = list->platform };
}
