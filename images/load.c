/* SPDX-License-Identifier: Apache-2.0 */
/*
 * load.c - images of an archive, unpacked and verified in a stage
 *
 * This is the unpacker's whole job: read the archive, find the layers that the store lacks, unpack
 * and verify them, and put manifests and configs beside them. The stage then holds, in layers/ and
 * blobs/, what the publisher moves to the directories of the same names in the store (publish.c).
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
#include "images/store.h"
#include "images/unpack.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/path.h"

/* One load at work; the directories are those of the stage. */
struct work {
	const struct sb_load *load;
	struct sb_bundle *bundle;
	struct sb_incoming_list images;
	struct sb_unpack_plan plan;
	int layers_dirfd;
	int blobs_dirfd;
};

static void work_done(struct work *w)
{
	sb_unpack_plan_done(&w->plan);
	sb_incoming_list_done(&w->images);
	sb_bundle_free(w->bundle);
	sb_close_fd(&w->layers_dirfd);
	sb_close_fd(&w->blobs_dirfd);
}

static int open_stage(struct work *w, struct sb_err *err)
{
	w->layers_dirfd = sb_open_dir_at(w->load->stage_dirfd, SB_STORE_LAYERS, err);
	if (w->layers_dirfd < 0)
		return -err->code;
	w->blobs_dirfd = sb_open_dir_at(w->load->stage_dirfd, SB_STORE_BLOBS, err);
	return w->blobs_dirfd < 0 ? -err->code : 0;
}

/* Find out what the archive is and read what it holds. docker's own archives are both kinds. */
static int read_images(struct work *w, struct sb_err *err)
{
	struct sb_err ignored = SB_ERR_INIT;
	struct sb_span span;

	w->bundle = w->load->fetched
			    ? sb_bundle_new_fetched(w->load->fetched, w->load->n_fetched, err)
			    : sb_bundle_new(w->load->source_fd, w->load->stage_dirfd, err);
	if (!w->bundle)
		return -err->code;
	if (w->load->fetched)
		return sb_layout_read_fetched(w->bundle, w->load->top, w->load->name, &w->images,
					      err);
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

/* Write a blob into the stage. One of the same name has the same content. */
static int stage_blob(struct work *w, const char *digest, const void *data, size_t len,
		      struct sb_err *err)
{
	char name[SB_DIGEST_SIZE];
	_cleanup_fd_ int fd = -1;
	int r;

	sb_digest_file_name(digest, name);
	fd = openat(w->blobs_dirfd, name, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC,
		    0600);
	if (fd < 0)
		return sb_err_set(err, errno, "create '%s' in the store", name);
	r = sb_write_all(fd, data, len);
	return r < 0 ? sb_err_set(err, -r, "write '%s' in the store", name) : 0;
}

static int stage_blobs(struct work *w, struct sb_err *err)
{
	for (size_t i = 0; i < w->images.n; i++) {
		const struct sb_incoming *image = &w->images.v[i];

		if (stage_blob(w, image->config_digest, image->config, image->config_len, err) <
			    0 ||
		    stage_blob(w, image->digest, image->manifest, image->manifest_len, err) < 0)
			return -err->code;
	}
	return 0;
}

static int unpack(struct work *w, struct sb_err *err)
{
	const struct sb_unpack job = { .bundle = w->bundle,
				       .stored_dirfd = w->load->layers_dirfd,
				       .dirfd = w->layers_dirfd,
				       .layers_only = w->load->layers_only,
				       .limits = w->load->limits,
				       .hooks = w->load->hooks };

	if (sb_unpack_plan_make(&w->images, &job, &w->plan, err) < 0)
		return -err->code;
	return sb_unpack_run(&w->plan, &job, err);
}

static int report(const struct work *w, struct sb_loaded_list *list, struct sb_err *err)
{
	for (size_t i = 0; i < w->images.n; i++) {
		const struct sb_incoming *image = &w->images.v[i];
		struct sb_loaded l = { .layers = (uint32_t)image->n_layers };

		memcpy(l.digest, image->digest, sizeof(l.digest));
		memcpy(l.config_digest, image->config_digest, sizeof(l.config_digest));
		for (size_t k = 0; k < image->n_layers; k++)
			l.size_bytes += sb_unpack_plan_find(&w->plan, image->layers[k].diff_id)
						->record.file_bytes;
		for (size_t k = 0; k < image->references.n; k++) {
			snprintf(l.reference, sizeof(l.reference), "%s", image->references.v[k]);
			if (sb_loaded_list_add(list, &l, err) < 0)
				return -err->code;
		}
	}
	return 0;
}

static int run(struct work *w, struct sb_loaded_list *list, struct sb_err *err)
{
	w->images.platform = w->load->platform;
	if (open_stage(w, err) < 0 || read_images(w, err) < 0 || unpack(w, err) < 0)
		return -err->code;
	if (w->load->layers_only)
		return 0;
	if (make_manifests(w, err) < 0 || stage_blobs(w, err) < 0)
		return -err->code;
	return report(w, list, err);
}

/**
 * sb_load_run() - Unpack and verify the images of an archive
 * @load:	what and where to
 * @ret:	written on success only; released with sb_loaded_list_done()
 *
 * Capabilities: see sb_layer_unpack(). Only the stage is written to; on failure it holds a part,
 * which its owner removes.
 *
 * Return: 0, or a negative errno value (-EINVAL, -EPROTO: something is wrong with the archive)
 */
int sb_load_run(const struct sb_load *load, struct sb_loaded_list *ret, struct sb_err *err)
{
	struct work w = { .load = load, .layers_dirfd = -1, .blobs_dirfd = -1 };
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
 * sb_loaded_list_add() - Append an image to a list
 * @list:	list
 * @image:	copied
 *
 * Return: 0 or -ENOMEM
 */
int sb_loaded_list_add(struct sb_loaded_list *list, const struct sb_loaded *image,
		       struct sb_err *err)
{
	struct sb_loaded *v = realloc(list->v, (list->n + 1) * sizeof(*v));

	if (!v)
		return sb_err_set(err, ENOMEM, "list the images");
	list->v = v;
	v[list->n++] = *image;
	return 0;
}

/**
 * sb_loaded_list_done() - Free a list; it is empty afterwards
 * @list:	list
 */
void sb_loaded_list_done(struct sb_loaded_list *list)
{
	free(list->v);
	*list = (struct sb_loaded_list)SB_LOADED_LIST_INIT;
}
