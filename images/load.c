/* SPDX-License-Identifier: Apache-2.0 */
/*
 * load.c - images of an archive into the store
 *
 * Theory of operation. Everything is prepared in a directory of our own below tmp/ and verified
 * there: layers, records, blobs, references. One syncfs(2) brings it to disk. Then it is renamed to
 * its place: layers first, references last, so that a reference never names what isn't there,
 * whenever we are killed. Two loads of one layer at once do the work twice; the second to rename
 * finds the name taken by equal content and drops its own.
 */
#include "images/load.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "images/bundle.h"
#include "images/docker.h"
#include "images/layout.h"
#include "images/manifest.h"
#include "images/stage.h"
#include "images/store.h"
#include "images/unpack.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"

/* One load at work. */
struct work {
	const struct sb_load *load;
	struct sb_stage stage;
	struct sb_bundle *bundle;
	struct sb_incoming_list images;
	struct sb_unpack_plan plan;
	int layers_dirfd;
	int blobs_dirfd;
	int refs_dirfd;
};

static void work_done(struct work *w)
{
	sb_unpack_plan_done(&w->plan);
	sb_incoming_list_done(&w->images);
	sb_bundle_free(w->bundle);
	sb_stage_destroy(&w->stage);
	sb_close_fd(&w->layers_dirfd);
	sb_close_fd(&w->blobs_dirfd);
	sb_close_fd(&w->refs_dirfd);
}

static int open_store(struct work *w, struct sb_err *err)
{
	const int flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;

	if (sb_store_create(w->load->store_dirfd, err) < 0)
		return -err->code;
	w->layers_dirfd = openat(w->load->store_dirfd, SB_STORE_LAYERS, flags);
	w->blobs_dirfd = openat(w->load->store_dirfd, SB_STORE_BLOBS, flags);
	w->refs_dirfd = openat(w->load->store_dirfd, SB_STORE_REFS, flags);
	if (w->layers_dirfd < 0 || w->blobs_dirfd < 0 || w->refs_dirfd < 0)
		return sb_err_set(err, errno, "open the store");
	return sb_stage_create(w->load->store_dirfd, &w->stage, err);
}

/* Find out what the archive is and read what it holds. docker's own archives are both kinds. */
static int read_images(struct work *w, struct sb_err *err)
{
	struct sb_err ignored = SB_ERR_INIT;
	struct sb_span span;

	w->bundle = sb_bundle_new(w->load->source_fd, w->stage.dirfd, err);
	if (!w->bundle)
		return -err->code;
	if (sb_bundle_find(w->bundle, "index.json", &span, &ignored) == 0) {
		sb_span_done(&span);
		return sb_layout_read(w->bundle, w->load->name, &w->images, err);
	}
	if (sb_bundle_find(w->bundle, "manifest.json", &span, &ignored) == 0) {
		sb_span_done(&span);
		return sb_docker_read(w->bundle, w->load->name, &w->images, err);
	}
	return sb_err_refuse(err, EINVAL, "not an OCI layout, an oci-archive or a docker-archive");
}

/* Make the manifests of images that came without one. */
static int make_manifests(struct work *w, struct sb_err *err)
{
	for (size_t i = 0; i < w->images.n; i++) {
		struct sb_incoming *image = &w->images.v[i];
		_cleanup_free_ uint64_t *tar_bytes = NULL;

		if (image->manifest)
			continue;
		tar_bytes = calloc(image->n_layers + 1, sizeof(*tar_bytes));
		if (!tar_bytes)
			return sb_err_set(err, ENOMEM, "make a manifest");
		for (size_t k = 0; k < image->n_layers; k++)
			tar_bytes[k] = sb_unpack_plan_find(&w->plan, image->layers[k].diff_id)
					       ->record.tar_bytes;
		if (sb_docker_make_manifest(image, tar_bytes, err) < 0)
			return -err->code;
	}
	return 0;
}

/* Write a small file into the stage. One of the same name has the same content. */
static int stage_file(struct work *w, const char *name, const void *data, size_t len,
		      struct sb_err *err)
{
	_cleanup_fd_ int fd = openat(w->stage.dirfd, name,
				     O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	int r;

	if (fd < 0)
		return sb_err_set(err, errno, "create '%s' in the store", name);
	r = sb_write_all(fd, data, len);
	return r < 0 ? sb_err_set(err, -r, "write '%s' in the store", name) : 0;
}

static int stage_blobs(struct work *w, const struct sb_incoming *image, struct sb_err *err)
{
	char name[SB_DIGEST_SIZE];

	sb_digest_file_name(image->config_digest, name);
	if (stage_file(w, name, image->config, image->config_len, err) < 0)
		return -err->code;
	sb_digest_file_name(image->digest, name);
	return stage_file(w, name, image->manifest, image->manifest_len, err);
}

/* The name in refs/ of reference @i of an image. */
static int ref_name(const struct sb_incoming *image, size_t i, char *ret, struct sb_err *err)
{
	struct sb_image_ref ref;

	if (sb_reference_parse(image->references.v[i], &ref, err) < 0)
		return -err->code;
	return sb_store_ref_file_name(&ref, ret, err);
}

static int stage_refs(struct work *w, const struct sb_incoming *image, struct sb_err *err)
{
	char text[SB_DIGEST_SIZE + 1];
	char name[SB_STORE_NAME_SIZE];
	int n = snprintf(text, sizeof(text), "%s\n", image->digest);

	for (size_t i = 0; i < image->references.n; i++)
		if (ref_name(image, i, name, err) < 0 ||
		    stage_file(w, name, text, (size_t)n, err) < 0)
			return -err->code;
	return 0;
}

/* Write all that is still missing in the stage and bring it to disk. */
static int finish_stage(struct work *w, struct sb_err *err)
{
	for (size_t i = 0; i < w->plan.n; i++) {
		const struct sb_unpack_layer *l = &w->plan.v[i];

		if (!l->stored &&
		    sb_store_write_record(w->stage.dirfd, l->name, &l->record, err) < 0)
			return -err->code;
	}
	for (size_t i = 0; i < w->images.n; i++)
		if (stage_blobs(w, &w->images.v[i], err) < 0 ||
		    stage_refs(w, &w->images.v[i], err) < 0)
			return -err->code;
	/* Reports what delayed writing could not store: disk full, media errors (Linux 5.8). */
	return syncfs(w->stage.dirfd) < 0 ? sb_err_set(err, errno, "sync the store") : 0;
}

static int publish(struct work *w, const char *name, int dirfd, struct sb_err *err)
{
	if (renameat(w->stage.dirfd, name, dirfd, name) == 0)
		return 0;
	/* ENOENT: two references or images of this archive share the file, and it is there already.
	 * The others: another load was faster with the same layer. */
	if (errno == EEXIST || errno == ENOTEMPTY ||
	    (errno == ENOENT && faccessat(dirfd, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0))
		return 0;
	return sb_err_set(err, errno, "rename '%s' in the store", name);
}

static int publish_layers(struct work *w, struct sb_err *err)
{
	for (size_t i = 0; i < w->plan.n; i++) {
		const struct sb_unpack_layer *l = &w->plan.v[i];
		char record[SB_STORE_NAME_SIZE];

		snprintf(record, sizeof(record), "%s.json", l->name);
		if (!l->stored && (publish(w, record, w->layers_dirfd, err) < 0 ||
				   publish(w, l->name, w->layers_dirfd, err) < 0))
			return -err->code;
	}
	return 0;
}

static int publish_image(struct work *w, const struct sb_incoming *image, struct sb_err *err)
{
	char name[SB_STORE_NAME_SIZE];

	sb_digest_file_name(image->config_digest, name);
	if (publish(w, name, w->blobs_dirfd, err) < 0)
		return -err->code;
	sb_digest_file_name(image->digest, name);
	if (publish(w, name, w->blobs_dirfd, err) < 0)
		return -err->code;
	for (size_t i = 0; i < image->references.n; i++)
		if (ref_name(image, i, name, err) < 0 || publish(w, name, w->refs_dirfd, err) < 0)
			return -err->code;
	return 0;
}

static int report(const struct work *w, struct sb_loaded_list *list, struct sb_err *err)
{
	size_t n = 0;

	for (size_t i = 0; i < w->images.n; i++)
		n += w->images.v[i].references.n;
	list->v = calloc(n + 1, sizeof(*list->v));
	if (!list->v)
		return sb_err_set(err, ENOMEM, "list the loaded images");
	for (size_t i = 0; i < w->images.n; i++) {
		const struct sb_incoming *image = &w->images.v[i];
		uint64_t size = 0;

		for (size_t k = 0; k < image->n_layers; k++)
			size += sb_unpack_plan_find(&w->plan, image->layers[k].diff_id)
					->record.file_bytes;
		for (size_t k = 0; k < image->references.n; k++) {
			struct sb_loaded *l = &list->v[list->n];

			*l = (struct sb_loaded){ .reference = strdup(image->references.v[k]),
						 .digest = strdup(image->digest),
						 .layers = image->n_layers,
						 .size_bytes = size };
			list->n++;
			if (!l->reference || !l->digest)
				return sb_err_set(err, ENOMEM, "list the loaded images");
		}
	}
	return 0;
}

static int run(struct work *w, struct sb_loaded_list *list, struct sb_err *err)
{
	if (open_store(w, err) < 0 || read_images(w, err) < 0 ||
	    sb_unpack_plan_make(&w->images, w->bundle, w->layers_dirfd, &w->plan, err) < 0 ||
	    sb_unpack_run(&w->plan, w->bundle, w->stage.dirfd, w->load->hooks, err) < 0 ||
	    make_manifests(w, err) < 0 || finish_stage(w, err) < 0 || report(w, list, err) < 0 ||
	    publish_layers(w, err) < 0)
		return -err->code;
	for (size_t i = 0; i < w->images.n; i++)
		if (publish_image(w, &w->images.v[i], err) < 0)
			return -err->code;
	return 0;
}

/**
 * sb_load_run() - Load the images of an archive
 * @load:	what and where to
 * @ret:	written on success only; released with sb_loaded_list_done()
 *
 * Capabilities: see sb_layer_unpack(). On failure no image is visible that was not there before;
 * when killed, what is left is removed by the next load.
 *
 * Return: 0, or a negative errno value (-EINVAL, -EPROTO: something is wrong with the archive)
 */
int sb_load_run(const struct sb_load *load, struct sb_loaded_list *ret, struct sb_err *err)
{
	struct work w = { .load = load,
			  .stage = SB_STAGE_INIT,
			  .layers_dirfd = -1,
			  .blobs_dirfd = -1,
			  .refs_dirfd = -1 };
	struct sb_loaded_list list = SB_LOADED_LIST_INIT;
	int r = run(&w, &list, err);

	work_done(&w);
	if (r < 0) {
		sb_loaded_list_done(&list);
		return r;
	}
	*ret = list;
	return 0;
}

/**
 * sb_loaded_list_done() - Free a list; it is empty afterwards
 * @list:	list
 */
void sb_loaded_list_done(struct sb_loaded_list *list)
{
	for (size_t i = 0; i < list->n; i++) {
		free(list->v[i].reference);
		free(list->v[i].digest);
	}
	free(list->v);
	*list = (struct sb_loaded_list)SB_LOADED_LIST_INIT;
}
