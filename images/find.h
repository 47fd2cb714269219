/* SPDX-License-Identifier: Apache-2.0 */
/*
 * find.h - from a name to an image: what a registry has under it, for one platform
 */
#ifndef SB_IMAGES_FIND_H
#define SB_IMAGES_FIND_H

#include "images/limits.h"
#include "images/manifest.h"
#include "images/registry.h"

struct sb_err;
struct sb_image_ref;

/**
 * struct sb_found - an image of a registry, and how it was found; everything is owned
 * @image:		the image
 * @stands_for:		digest of what the name stands for: an index, or the manifest
 * @documents:		indexes that were read on the way from there to the manifest
 * @n_documents:	how many
 */
struct sb_found {
	struct sb_incoming image;
	char stands_for[SB_DIGEST_SIZE];
	struct sb_registry_manifest documents[SB_IMAGE_DOCUMENTS_MAX];
	size_t n_documents;
};

int sb_find_image(struct sb_registry *registry, const struct sb_image_ref *ref, const char *known,
		  struct sb_found *ret, struct sb_err *err);

#endif /* SB_IMAGES_FIND_H */
