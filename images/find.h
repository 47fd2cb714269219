/* SPDX-License-Identifier: Apache-2.0 */
/*
 * find.h - from a name to an image: what a registry has under it, for one platform
 */
#ifndef SB_IMAGES_FIND_H
#define SB_IMAGES_FIND_H

#include "images/manifest.h"

struct sb_err;
struct sb_image_ref;
struct sb_registry;

int sb_find_image(struct sb_registry *registry, const struct sb_image_ref *ref, const char *known,
		  struct sb_incoming *ret, char *ret_stands_for, struct sb_err *err);

#endif /* SB_IMAGES_FIND_H */
