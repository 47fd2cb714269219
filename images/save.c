/* SPDX-License-Identifier: Apache-2.0 */
/*
 * save.c - images of the store as an archive
 *
 * Layers go in uncompressed: their digest is then the diff_id, which is known before they are
 * written, and a tar made again (split.c) is compared with it on the way. Configs go in as they
 * came. A manifest that lists compressed layers can't: it is made anew, as for an image that came
 * in a docker-archive, so that the archive gives the same image wherever it is loaded.
 *
 * All that can be refused is refused before the first byte is written.
 */
#include "images/save.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "images/archive.h"
#include "images/config.h"
#include "images/docker.h"
#include "images/image.h"
#include "images/manifest.h"
#include "images/split.h"
#include "images/store.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/err.h"
#include "runtime/base/json.h"

#define NAME_SIZE 100 /* of a file in the archive */

#define OCI_MANIFEST "application/vnd.oci.image.manifest.v1+json"

/* One save at work; @images are as the user named them, @written are files of the archive. */
struct work {
	const struct sb_save *save;
	struct sb_incoming_list images;
	struct sb_archive archive;
	struct sb_strv written;
	int layers_dirfd;
};

/* A layer on its way into the archive. */
struct layer_sink {
	struct sb_split_sink base;
	struct sb_archive *archive;
};

static const char *hex_of(const char *digest)
{
	return digest + SB_DIGEST_LEN - SB_DIGEST_HEX_LEN;
}

static void file_name(enum sb_save_format format, const char *digest, const char *suffix,
		      char name[NAME_SIZE])
{
	if (format == SB_SAVE_OCI)
		snprintf(name, NAME_SIZE, "blobs/sha256/%s", hex_of(digest));
	else
		snprintf(name, NAME_SIZE, "%s%s", hex_of(digest), suffix);
}

static int take_config(struct work *w, struct sb_incoming *image, struct sb_err *err)
{
	struct sb_image parsed = SB_IMAGE_INIT;
	struct sb_strv diff_ids = SB_STRV_INIT;
	int r;

	if (sb_store_read_blob(w->save->store_dirfd, image->config_digest, SB_CONFIG_MAX_BYTES,
			       &image->config, &image->config_len, err) < 0)
		return -err->code;
	r = sb_config_parse(image->config, image->config_len, &parsed, &diff_ids, err);
	if (r == 0) {
		image->layers = calloc(diff_ids.n + 1, sizeof(*image->layers));
		if (!image->layers)
			r = sb_err_set(err, ENOMEM, "read the image config");
	}
	for (; r == 0 && image->n_layers < diff_ids.n; image->n_layers++)
		memcpy(image->layers[image->n_layers].diff_id, diff_ids.v[image->n_layers],
		       SB_DIGEST_SIZE);
	sb_strv_done(&diff_ids);
	sb_image_done(&parsed);
	return r;
}

/* Whether the stored manifest is fit for the archive: of OCI's kind, the layers by their diff_ids.
 */
static bool can_keep(const struct sb_incoming *image, const json_t *manifest)
{
	const char *type = json_string_value(json_object_get(manifest, "mediaType"));
	const json_t *layers = json_object_get(manifest, "layers");

	/* The type may be missing: OCI image-spec manifest.md. Docker's never is. */
	if ((type && strcmp(type, OCI_MANIFEST) != 0) || json_array_size(layers) != image->n_layers)
		return false;
	for (size_t i = 0; i < image->n_layers; i++) {
		const char *digest =
			json_string_value(json_object_get(json_array_get(layers, i), "digest"));

		if (!digest || strcmp(digest, image->layers[i].diff_id) != 0)
			return false;
	}
	return true;
}

/* Find the layers: sizes, and a record of each tar that promises well. */
static int take_layers(struct work *w, struct sb_incoming *image, struct sb_err *err)
{
	for (size_t i = 0; i < image->n_layers; i++) {
		struct sb_incoming_layer *l = &image->layers[i];
		struct sb_layer_record record;
		_cleanup_fd_ int split = -1;
		char name[SB_DIGEST_SIZE];

		sb_digest_file_name(l->diff_id, name);
		split = sb_split_open(w->layers_dirfd, name, err);
		if (split < 0 || sb_store_read_record(w->layers_dirfd, name, &record, err) < 0)
			return sb_err_prefix(err, "layer %.19s", l->diff_id);
		l->size = record.tar_bytes;
	}
	return 0;
}

/* The manifest that the archive gets: the stored one, or if that will not do another one. */
static int take_manifest(struct work *w, struct sb_incoming *image, struct sb_err *err)
{
	_cleanup_free_ uint64_t *sizes = NULL;
	_cleanup_json_ json_t *m = NULL;

	if (sb_store_read_blob(w->save->store_dirfd, image->digest, SB_MANIFEST_MAX_BYTES,
			       &image->manifest, &image->manifest_len, err) < 0 ||
	    sb_json_parse(image->manifest, image->manifest_len, &m, err) < 0)
		return sb_err_prefix(err, "manifest %.19s", image->digest);
	/* A docker-archive has none; who loads it makes one. */
	if (w->save->format == SB_SAVE_OCI && can_keep(image, m))
		return 0;
	free(sb_steal_ptr(&image->manifest));
	sizes = calloc(image->n_layers + 1, sizeof(*sizes));
	if (!sizes)
		return sb_err_set(err, ENOMEM, "make a manifest");
	for (size_t i = 0; i < image->n_layers; i++)
		sizes[i] = image->layers[i].size;
	return sb_docker_make_manifest(image, sizes, err);
}

/* Read what the user calls @text. */
static int add_image(struct work *w, const char *text, struct sb_err *err)
{
	struct sb_incoming *image = sb_incoming_add(&w->images, err);
	struct sb_image found = SB_IMAGE_INIT;
	int r;

	if (!image || sb_image_open(w->save->store_dirfd, text, &found, err) < 0)
		return -err->code;
	memcpy(image->digest, found.digest, SB_DIGEST_SIZE);
	memcpy(image->config_digest, found.config_digest, SB_DIGEST_SIZE);
	r = found.reference ? sb_strv_add(&image->references, found.reference, err) : 0;
	sb_image_done(&found);
	if (r == 0)
		r = take_config(w, image, err);
	if (r == 0)
		r = take_layers(w, image, err);
	if (r == 0)
		r = take_manifest(w, image, err);
	return r < 0 ? sb_err_prefix(err, "image '%.100s'", text) : 0;
}

static const char *reference_of(const struct sb_incoming *image)
{
	return image->references.n > 0 ? image->references.v[0] : NULL;
}

/* Note that a file is about to be written. Return: 1, 0 if it was already, or < 0 */
static int is_new(struct work *w, const char *name, struct sb_err *err)
{
	for (size_t i = 0; i < w->written.n; i++)
		if (!strcmp(w->written.v[i], name))
			return 0;
	return sb_strv_add(&w->written, name, err) < 0 ? -err->code : 1;
}

static int put_blob(struct work *w, const char *digest, const void *data, size_t len,
		    struct sb_err *err)
{
	char name[NAME_SIZE];
	int r;

	file_name(w->save->format, digest, ".json", name);
	r = is_new(w, name, err);
	return r <= 0 ? r : sb_archive_put(&w->archive, name, data, len, err);
}

static int put_json(struct work *w, const char *name, const json_t *value, struct sb_err *err)
{
	_cleanup_free_ char *text = value ? json_dumps(value, JSON_COMPACT) : NULL;

	if (!text)
		return sb_err_set(err, ENOMEM, "write '%s' of the archive", name);
	return sb_archive_put(&w->archive, name, text, strlen(text), err);
}

static int layer_write(struct sb_split_sink *base, const void *data, size_t len, struct sb_err *err)
{
	return sb_archive_write(((struct layer_sink *)base)->archive, data, len, err);
}

/* Make the tar again, and see that it is the one it was. */
static int replay_layer(struct work *w, const char *diff_id, struct sb_err *err)
{
	struct layer_sink sink = { .base.write = layer_write, .archive = &w->archive };
	_cleanup_fd_ int split = -1, dirfd = -1;
	char name[SB_DIGEST_SIZE], digest[SB_DIGEST_SIZE];

	sb_digest_file_name(diff_id, name);
	split = sb_split_open(w->layers_dirfd, name, err);
	if (split < 0)
		return -err->code;
	dirfd = openat(w->layers_dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (dirfd < 0)
		return sb_err_set(err, errno, "open its directory");
	if (sb_split_replay(split, dirfd, &sink.base, digest, err) < 0 ||
	    sb_archive_end(&w->archive, err) < 0)
		return -err->code;
	if (strcmp(digest, diff_id) == 0)
		return 0;
	sb_err_refuse(err, EPROTO, "its files give a tar with digest %.19s", digest);
	return sb_err_hint(err,
			   "its files were changed: remove the image and load or pull it again");
}

static int put_layer(struct work *w, const struct sb_incoming_layer *layer, struct sb_err *err)
{
	char name[NAME_SIZE];
	int r;

	file_name(w->save->format, layer->diff_id, ".tar", name);
	r = is_new(w, name, err);
	if (r <= 0)
		return r;
	if (sb_archive_begin(&w->archive, name, layer->size, err) < 0)
		return -err->code;
	return replay_layer(w, layer->diff_id, err) < 0
		       ? sb_err_prefix(err, "layer %.19s", layer->diff_id)
		       : 0;
}

/* OCI image-spec image-layout.md. Two annotations name an image: the specification's, and the one
 * that containerd and docker read first. */
static int put_oci_index(struct work *w, struct sb_err *err)
{
	_cleanup_json_ json_t *layout = json_pack("{s:s}", "imageLayoutVersion", "1.0.0");
	_cleanup_json_ json_t *manifests = json_array();
	_cleanup_json_ json_t *index = NULL;

	for (size_t i = 0; i < w->images.n; i++) {
		const struct sb_incoming *image = &w->images.v[i];
		const char *name = reference_of(image);
		json_t *d = json_pack("{s:s, s:s, s:I}", "mediaType", OCI_MANIFEST, "digest",
				      image->digest, "size", (json_int_t)image->manifest_len);

		if (d && name)
			(void)json_object_set_new(
				d, "annotations",
				json_pack("{s:s, s:s}", "io.containerd.image.name", name,
					  "org.opencontainers.image.ref.name", name));
		(void)json_array_append_new(manifests, d);
	}
	index = json_pack("{s:i, s:s, s:O}", "schemaVersion", 2, "mediaType",
			  "application/vnd.oci.image.index.v1+json", "manifests", manifests);
	return put_json(w, "oci-layout", layout, err) < 0 ? -err->code
							  : put_json(w, "index.json", index, err);
}

/* moby's image/spec "Image JSON". */
static int put_docker_list(struct work *w, struct sb_err *err)
{
	_cleanup_json_ json_t *list = json_array();

	for (size_t i = 0; i < w->images.n; i++) {
		const struct sb_incoming *image = &w->images.v[i];
		json_t *layers = json_array(), *tags = json_array();
		char name[NAME_SIZE];

		for (size_t k = 0; k < image->n_layers; k++) {
			file_name(w->save->format, image->layers[k].diff_id, ".tar", name);
			(void)json_array_append_new(layers, json_string(name));
		}
		if (reference_of(image))
			(void)json_array_append_new(tags, json_string(reference_of(image)));
		file_name(w->save->format, image->config_digest, ".json", name);
		(void)json_array_append_new(list, json_pack("{s:s, s:o, s:o}", "Config", name,
							    "RepoTags", tags, "Layers", layers));
	}
	return put_json(w, "manifest.json", list, err);
}

static int put_image(struct work *w, const struct sb_incoming *image, struct sb_err *err)
{
	if (put_blob(w, image->config_digest, image->config, image->config_len, err) < 0)
		return -err->code;
	if (w->save->format == SB_SAVE_OCI &&
	    put_blob(w, image->digest, image->manifest, image->manifest_len, err) < 0)
		return -err->code;
	for (size_t i = 0; i < image->n_layers; i++)
		if (put_layer(w, &image->layers[i], err) < 0)
			return -err->code;
	return 0;
}

static int run(struct work *w, struct sb_err *err)
{
	const struct sb_save *save = w->save;

	w->layers_dirfd =
		openat(save->store_dirfd, SB_STORE_LAYERS, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (w->layers_dirfd < 0 && errno != ENOENT) /* then there is no image either */
		return sb_err_set(err, errno, "open '%s' in the store", SB_STORE_LAYERS);
	for (size_t i = 0; i < save->n; i++)
		if (add_image(w, save->references[i], err) < 0)
			return -err->code;
	if (sb_archive_init(&w->archive, save->fd, err) < 0 ||
	    (save->format == SB_SAVE_OCI ? put_oci_index(w, err) : put_docker_list(w, err)) < 0)
		return -err->code;
	for (size_t i = 0; i < w->images.n; i++)
		if (put_image(w, &w->images.v[i], err) < 0)
			return -err->code;
	return sb_archive_finish(&w->archive, err);
}

/**
 * sb_save_run() - Write images of the store as an archive
 * @save:	what, and where to
 * @ret:	room for @n of them; written on success only
 * @ret_bytes:	length of the archive; likewise
 *
 * Needs root, as the files of layers may be closed to others. Nothing may be removed from the store
 * meanwhile: see sb_store_lock(). Unless an image was refused, a part of the archive has been
 * written on failure.
 *
 * Return: 0, or a negative errno value (-ENOENT: no such image; -EPROTO: a layer can't be made
 * again, or was changed; -EINTR: see sb_archive_begin())
 */
int sb_save_run(const struct sb_save *save, struct sb_saved *ret, uint64_t *ret_bytes,
		struct sb_err *err)
{
	struct work w = {
		.save = save, .images = { .n = 0 }, .written = SB_STRV_INIT, .layers_dirfd = -1
	};
	int r = run(&w, err);

	for (size_t i = 0; r == 0 && i < w.images.n; i++) {
		const struct sb_incoming *image = &w.images.v[i];

		snprintf(ret[i].reference, sizeof(ret[i].reference), "%s",
			 reference_of(image) ? reference_of(image) : "");
		memcpy(ret[i].digest, image->digest, SB_DIGEST_SIZE);
	}
	if (r == 0)
		*ret_bytes = w.archive.total;
	sb_archive_done(&w.archive);
	sb_strv_done(&w.written);
	sb_incoming_list_done(&w.images);
	sb_close_fd(&w.layers_dirfd);
	return r;
}
