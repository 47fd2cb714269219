/* SPDX-License-Identifier: Apache-2.0 */
/* image.c - facade of images/ for the layers above: what lies in the store */
#include "images/image.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>

#include "images/reference.h"
#include "images/resolve.h"
#include "images/store.h"
#include "images/stored.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/err.h"

static_assert(SB_IMAGE_REFERENCE_SIZE >= SB_REFERENCE_SIZE, "a reference would be cut");

static int open_image(int store_dirfd, const char *text, struct sb_image *image, struct sb_err *err)
{
	struct sb_strv diff_ids = SB_STRV_INIT;
	struct sb_resolved found;
	int r;

	image->lock_fd = sb_store_lock(store_dirfd, LOCK_SH, err);
	if (image->lock_fd < 0 || sb_resolve(store_dirfd, text, &found, err) < 0)
		return -err->code;
	r = sb_stored_image_read(store_dirfd, found.digest, image, &diff_ids, err);
	sb_strv_done(&diff_ids);
	if (r < 0 || !found.reference[0])
		return r;
	image->reference = strdup(found.reference);
	return image->reference ? 0 : sb_err_set(err, ENOMEM, "open image '%s'", found.reference);
}

/**
 * sb_image_open() - Find an image in the store and read its configuration
 * @store_dirfd:	the store; borrowed
 * @reference:	name as the user wrote it, or a digest; see sb_resolve()
 * @ret:	written on success only; sb_image_done() frees it
 *
 * Three small files are read. That the layer directories are there shows when they are mounted;
 * nothing of the image is removed from the store before sb_image_unlock().
 *
 * Return: 0, or a negative errno value (-ENOENT: no such image, with a hint; -EINVAL: not a
 * reference, or ambiguous)
 */
int sb_image_open(int store_dirfd, const char *reference, struct sb_image *ret, struct sb_err *err)
{
	struct sb_image image = SB_IMAGE_INIT;

	if (open_image(store_dirfd, reference, &image, err) < 0) {
		sb_image_done(&image);
		return -err->code;
	}
	*ret = image;
	return 0;
}

/**
 * sb_image_unlock() - From now on the image may be removed from the store
 * @image:	open image; what was read of it stays
 *
 * After a fork(2) both processes have to do it.
 */
void sb_image_unlock(struct sb_image *image)
{
	sb_close_fd(&image->lock_fd);
}

/**
 * sb_image_done() - Free what an image holds; it is empty afterwards
 * @image:	image
 */
void sb_image_done(struct sb_image *image)
{
	sb_close_fd(&image->lock_fd);
	free(image->reference);
	free(image->digest);
	free(image->config_digest);
	free(image->architecture);
	free(image->os);
	free(image->variant);
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
