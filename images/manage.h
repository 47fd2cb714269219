/* SPDX-License-Identifier: Apache-2.0 */
/*
 * manage.h - facade of images/ for the layers above: what changes stored images
 */
#ifndef SB_IMAGES_MANAGE_H
#define SB_IMAGES_MANAGE_H

#include <stdbool.h>

#include "images/collect.h"
#include "runtime/base/str.h"

struct sb_err;

/**
 * struct sb_image_changes - what a removal did; lists are owned
 * @untagged:	full references that were removed
 * @deleted:	digests of images that nothing keeps any more
 * @collected:	what was removed of their files, and of others that nothing kept
 */
struct sb_image_changes {
	struct sb_strv untagged;
	struct sb_strv deleted;
	struct sb_collected collected;
};

#define SB_IMAGE_CHANGES_INIT                  \
	{                                      \
		.collected = SB_COLLECTED_INIT \
	}

int sb_image_tag(int store_dirfd, const char *image, const char *name, struct sb_err *err);
int sb_image_remove(int store_dirfd, const char *image, bool force, struct sb_image_changes *ret,
		    struct sb_err *err);
int sb_images_prune(int store_dirfd, bool all, struct sb_image_changes *ret, struct sb_err *err);
void sb_image_changes_done(struct sb_image_changes *changes);

#endif /* SB_IMAGES_MANAGE_H */
