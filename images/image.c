/* SPDX-License-Identifier: Apache-2.0 */
/* image.c - facade of images/ for the layers above: what lies in the store */
#include "images/image.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "images/config.h"
#include "images/reference.h"
#include "images/store.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/err.h"
#include "runtime/base/json.h"
#include "runtime/base/path.h"

#define PREFIX_MIN 4 /* hex digits of an abbreviated digest, as docker's image ids */

static_assert(SB_IMAGE_REFERENCE_SIZE >= SB_REFERENCE_SIZE, "a reference would be cut");

static int not_found(const char *reference, struct sb_err *err)
{
	sb_err_refuse(err, ENOENT, "no image '%.100s'", reference);
	return sb_err_hint(err, "'sbrun images' lists what is there, 'sbrun load' adds an image");
}

/* The manifest digest that a full or abbreviated hex digest stands for, among those with a name. */
static int find_prefix(int store_dirfd, const char *hex, char *ret_digest, struct sb_err *err)
{
	char found[SB_DIGEST_SIZE] = "", digest[SB_DIGEST_SIZE];
	_cleanup_dir_ DIR *dir = sb_opendir_at(store_dirfd, SB_STORE_REFS);
	struct dirent *e;

	if (!dir && errno == ENOENT)
		return not_found(hex, err);
	if (!dir)
		return sb_err_set(err, errno, "open '%s' in the store", SB_STORE_REFS);
	while ((e = readdir(dir))) {
		if (e->d_name[0] == '.' || sb_store_read_ref(dirfd(dir), e->d_name, digest) < 0)
			continue;
		if (strncmp(digest + SB_DIGEST_LEN - SB_DIGEST_HEX_LEN, hex, strlen(hex)) != 0)
			continue;
		if (found[0] && strcmp(found, digest) != 0)
			return sb_err_refuse(err, EINVAL, "image id '%s' is ambiguous", hex);
		memcpy(found, digest, sizeof(found));
	}
	if (!found[0])
		return not_found(hex, err);
	memcpy(ret_digest, found, sizeof(found));
	return 0;
}

static bool is_hex(const char *s)
{
	size_t n = strspn(s, "0123456789abcdef");

	return n == strlen(s) && n >= PREFIX_MIN && n <= SB_DIGEST_HEX_LEN;
}

/*
 * What the user called the image -> the reference it has (empty if it was called by digest) and its
 * manifest digest. A name that exists goes before an abbreviated digest of the same letters.
 */
static int resolve(int store_dirfd, const char *text, char *ret_reference, char *ret_digest,
		   struct sb_err *err)
{
	struct sb_image_ref ref;
	char name[SB_STORE_NAME_SIZE], path[sizeof(SB_STORE_REFS) + SB_STORE_NAME_SIZE];
	int r;

	*ret_reference = '\0';
	if (sb_digest_is_valid(text)) {
		memcpy(ret_digest, text, SB_DIGEST_SIZE);
		return 0;
	}
	if (is_hex(text) && strlen(text) == SB_DIGEST_HEX_LEN)
		return find_prefix(store_dirfd, text, ret_digest, err);
	if (sb_reference_parse(text, &ref, err) < 0)
		return -err->code;
	if (ref.digest[0]) {
		memcpy(ret_digest, ref.digest, SB_DIGEST_SIZE);
		return 0;
	}
	if (sb_store_ref_file_name(&ref, name, err) < 0)
		return -err->code;
	snprintf(path, sizeof(path), SB_STORE_REFS "/%s", name);
	r = sb_store_read_ref(store_dirfd, path, ret_digest);
	if (r == -ENOENT && is_hex(text))
		return find_prefix(store_dirfd, text, ret_digest, err);
	if (r == -ENOENT)
		return not_found(text, err);
	if (r < 0)
		return sb_err_set(err, -r, "read image reference '%.100s'", text);
	sb_reference_format(&ref, ret_reference, SB_IMAGE_REFERENCE_SIZE);
	return 0;
}

/* Config digest and sum of sizes of a stored manifest. */
static int read_manifest(int store_dirfd, const char *digest, char *ret_config, uint64_t *ret_bytes,
			 struct sb_err *err)
{
	_cleanup_free_ char *text = NULL;
	_cleanup_json_ json_t *m = NULL;
	const char *config = NULL;
	json_t *layer;
	int64_t size = 0;
	uint64_t sum;
	size_t len, i;

	if (sb_store_read_blob(store_dirfd, digest, SB_MANIFEST_MAX_BYTES, &text, &len, err) < 0)
		return err->code == ENOENT ? not_found(digest, err) : -err->code;
	if (sb_json_parse(text, len, &m, err) < 0 ||
	    sb_json_need_str(json_object_get(m, "config"), "digest", &config, err) < 0 ||
	    sb_digest_check(config, "image config", err) < 0 ||
	    sb_json_get_int(json_object_get(m, "config"), "size", &size, err) < 0)
		return sb_err_prefix(err, "'%s' is not an image manifest", digest);
	sum = (uint64_t)size;
	json_array_foreach(json_object_get(m, "layers"), i, layer)
	{
		size = 0;
		if (sb_json_get_int(layer, "size", &size, err) < 0)
			return -err->code;
		sum += (uint64_t)size;
	}
	memcpy(ret_config, config, SB_DIGEST_SIZE);
	*ret_bytes = sum;
	return 0;
}

/* diff_ids -> directory names, only the topmost occurrence of each. */
static int name_layers(const struct sb_strv *diff_ids, struct sb_strv *ret, struct sb_err *err)
{
	char name[SB_DIGEST_SIZE];

	for (size_t i = 0; i < diff_ids->n; i++) {
		bool again = false;

		for (size_t k = i + 1; k < diff_ids->n && !again; k++)
			again = !strcmp(diff_ids->v[i], diff_ids->v[k]);
		if (again)
			continue;
		sb_digest_file_name(diff_ids->v[i], name);
		if (sb_strv_add(ret, name, err) < 0)
			return -err->code;
	}
	return 0;
}

/* Read manifest and config of @digest into @ret, which has no content yet. */
static int load(int store_dirfd, const char *digest, struct sb_image *ret, struct sb_strv *diff_ids,
		struct sb_err *err)
{
	_cleanup_free_ char *text = NULL;
	char config[SB_DIGEST_SIZE];
	size_t len;

	if (read_manifest(store_dirfd, digest, config, &ret->size_bytes, err) < 0 ||
	    sb_store_read_blob(store_dirfd, config, SB_CONFIG_MAX_BYTES, &text, &len, err) < 0 ||
	    sb_config_parse(text, len, ret, diff_ids, err) < 0 ||
	    name_layers(diff_ids, &ret->layers, err) < 0)
		return -err->code;
	ret->digest = strdup(digest);
	return ret->digest ? 0 : sb_err_set(err, ENOMEM, "read image '%s'", digest);
}

/**
 * sb_image_open() - Find an image in the store and read its configuration
 * @store_dirfd:	the store; borrowed
 * @reference:	name as the user wrote it, manifest digest, or at least four hex digits that begin
 *		the digest of exactly one image
 * @ret:	written on success only; sb_image_done() frees it
 *
 * Three small files are read. That the layer directories are there shows when they are mounted.
 *
 * Return: 0, or a negative errno value (-ENOENT: no such image, with a hint; -EINVAL: not a
 * reference, or ambiguous)
 */
int sb_image_open(int store_dirfd, const char *reference, struct sb_image *ret, struct sb_err *err)
{
	struct sb_image image = SB_IMAGE_INIT;
	struct sb_strv diff_ids = SB_STRV_INIT;
	char digest[SB_DIGEST_SIZE], full[SB_IMAGE_REFERENCE_SIZE];
	int r;

	if (resolve(store_dirfd, reference, full, digest, err) < 0)
		return -err->code;
	r = load(store_dirfd, digest, &image, &diff_ids, err);
	sb_strv_done(&diff_ids);
	if (r == 0 && full[0]) {
		image.reference = strdup(full);
		if (!image.reference)
			r = sb_err_set(err, ENOMEM, "open image '%s'", full);
	}
	if (r < 0) {
		sb_image_done(&image);
		return r;
	}
	*ret = image;
	return 0;
}

/**
 * sb_image_done() - Free what an image holds; it is empty afterwards
 * @image:	image
 */
void sb_image_done(struct sb_image *image)
{
	free(image->reference);
	free(image->digest);
	free(image->architecture);
	free(image->os);
	free(image->working_dir);
	free(image->user);
	free(image->stop_signal);
	sb_strv_done(&image->env);
	sb_strv_done(&image->entrypoint);
	sb_strv_done(&image->cmd);
	sb_strv_done(&image->exposed_ports);
	sb_strv_done(&image->layers);
	*image = (struct sb_image)SB_IMAGE_INIT;
}

/**
 * sb_image_familiar() - A reference in the short form for people
 * @reference:	any valid reference
 * @buf:	e.g. "python:3.12-slim"
 * @size:	size of @buf; SB_IMAGE_REFERENCE_SIZE is enough
 *
 * Return: 0, or -EINVAL if @reference is none
 */
int sb_image_familiar(const char *reference, char *buf, size_t size)
{
	struct sb_err ignored = SB_ERR_INIT;
	struct sb_image_ref ref;

	if (sb_reference_parse(reference, &ref, &ignored) < 0)
		return -EINVAL;
	sb_reference_familiar(&ref, buf, size);
	return 0;
}

/* Sum of what the layers of @image hold; one without a record counts as empty. */
static uint64_t unpacked_bytes(int store_dirfd, const struct sb_image *image)
{
	_cleanup_fd_ int layers =
		openat(store_dirfd, SB_STORE_LAYERS, O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct sb_err ignored = SB_ERR_INIT;
	uint64_t sum = 0;

	for (size_t i = 0; i < image->layers.n; i++) {
		struct sb_layer_record record;

		if (sb_store_read_record(layers, image->layers.v[i], &record, &ignored) == 0)
			sum += record.file_bytes;
	}
	return sum;
}

static int list_add(int store_dirfd, const char *reference, struct sb_image_list *list,
		    struct sb_err *err)
{
	struct sb_image_info *v = realloc(list->v, (list->n + 1) * sizeof(*v));
	struct sb_image image = SB_IMAGE_INIT;

	if (!v)
		return sb_err_set(err, ENOMEM, "list images");
	list->v = v;
	if (sb_image_open(store_dirfd, reference, &image, err) < 0)
		return -err->code;
	v[list->n++] = (struct sb_image_info){
		.reference = sb_steal_ptr(&image.reference),
		.digest = sb_steal_ptr(&image.digest),
		.created_ms = image.created_ms,
		.size_bytes = unpacked_bytes(store_dirfd, &image),
	};
	sb_image_done(&image);
	return 0;
}

static int by_reference(const void *a, const void *b)
{
	const struct sb_image_info *x = a, *y = b;

	return strcmp(x->reference, y->reference);
}

/**
 * sb_images_list() - What the store holds
 * @store_dirfd:	the store; borrowed. One that is not made yet is empty
 * @ret:	sorted; sb_images_list_done() frees it
 *
 * An image that vanishes or is replaced meanwhile is left out or listed as it was.
 *
 * Return: 0, or a negative errno value
 */
int sb_images_list(int store_dirfd, struct sb_image_list *ret, struct sb_err *err)
{
	struct sb_image_list list = SB_IMAGE_LIST_INIT;
	_cleanup_dir_ DIR *dir = sb_opendir_at(store_dirfd, SB_STORE_REFS);
	struct dirent *e;
	int r = 0;

	if (!dir && errno == ENOENT) {
		*ret = list;
		return 0;
	}
	if (!dir)
		return sb_err_set(err, errno, "open '%s' in the store", SB_STORE_REFS);
	while (r == 0 && (e = readdir(dir))) {
		char full[SB_IMAGE_REFERENCE_SIZE];
		struct sb_image_ref ref;

		if (e->d_name[0] == '.' || sb_store_ref_from_file_name(e->d_name, &ref) < 0)
			continue;
		sb_reference_format(&ref, full, sizeof(full));
		r = list_add(store_dirfd, full, &list, err);
		if (r == -ENOENT)
			r = 0;
	}
	if (r < 0) {
		sb_images_list_done(&list);
		return r;
	}
	if (list.n > 1)
		qsort(list.v, list.n, sizeof(*list.v), by_reference);
	*ret = list;
	return 0;
}

/**
 * sb_images_list_done() - Free a list; it is empty afterwards
 * @list:	list
 */
void sb_images_list_done(struct sb_image_list *list)
{
	for (size_t i = 0; i < list->n; i++) {
		free(list->v[i].reference);
		free(list->v[i].digest);
	}
	free(list->v);
	*list = (struct sb_image_list)SB_IMAGE_LIST_INIT;
}
