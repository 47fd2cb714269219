/* SPDX-License-Identifier: Apache-2.0 */
/* known.c - what the store already has of a name that is to be pulled */
#include "images/known.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "images/disk.h"
#include "images/image.h"
#include "images/load.h"
#include "images/resolve.h"
#include "images/store.h"
#include "images/stored.h"
#include "runtime/base/err.h"

/* Whether all its layers are there: if somebody has removed one, the image is to be pulled again.
 */
static bool is_whole(int store_dirfd, const struct sb_image *image)
{
	char path[sizeof(SB_STORE_LAYERS) + SB_DIGEST_SIZE];

	for (size_t i = 0; i < image->layers.n; i++) {
		snprintf(path, sizeof(path), SB_STORE_LAYERS "/%s", image->layers.v[i]);
		if (faccessat(store_dirfd, path, F_OK, AT_SYMLINK_NOFOLLOW) < 0)
			return false;
	}
	return true;
}

/* A config does not tell all about its variant, so with one the registry is asked for all. */
static bool fits(const struct sb_image *image, const struct sb_platform *platform)
{
	return image->architecture && !strcmp(image->architecture, platform->architecture) &&
	       !platform->variant[0];
}

/**
 * sb_known_find() - Find an image that was pulled before by the same name
 * @store_dirfd:	the store, whose lock the caller holds; borrowed
 * @reference:	full reference
 * @platform:	what the image must be for
 * @ret:	the image, with what the name stood for; written if there is one
 *
 * Return: whether there is one
 */
bool sb_known_find(int store_dirfd, const char *reference, const struct sb_platform *platform,
		   struct sb_loaded *ret)
{
	struct sb_image image = SB_IMAGE_INIT;
	struct sb_strv diff_ids = SB_STRV_INIT;
	struct sb_err ignored = SB_ERR_INIT;
	struct sb_loaded known = { .layers = 0 };
	struct sb_resolved found;
	bool ok = false;

	if (sb_resolve(store_dirfd, reference, &found, &ignored) < 0 || !found.index[0])
		return false;
	if (sb_stored_image_read(store_dirfd, found.digest, &image, &diff_ids, &ignored) == 0)
		ok = fits(&image, platform) && is_whole(store_dirfd, &image);
	if (ok) {
		snprintf(known.reference, sizeof(known.reference), "%s", reference);
		memcpy(known.digest, found.digest, sizeof(known.digest));
		memcpy(known.stands_for, found.index, sizeof(known.stands_for));
		known.layers = (uint32_t)image.layers.n;
		for (size_t i = 0; i < image.layers.n; i++)
			known.size_bytes += sb_disk_layer_bytes(store_dirfd, image.layers.v[i]);
		*ret = known;
	}
	sb_strv_done(&diff_ids);
	sb_image_done(&image);
	return ok;
}
