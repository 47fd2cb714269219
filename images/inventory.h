/* SPDX-License-Identifier: Apache-2.0 */
/*
 * inventory.h - all images that something keeps, with their layers
 */
#ifndef SB_IMAGES_INVENTORY_H
#define SB_IMAGES_INVENTORY_H

#include <stddef.h>
#include <stdint.h>

#include "images/image.h"
#include "images/roots.h"
#include "runtime/base/err.h"

/* How an inventory is read. */
#define SB_INVENTORY_STRICT 1 /* an image that cannot be read is an error */
#define SB_INVENTORY_IN_USE                                                  \
	2 /* only what would be left if names kept no image, sandboxes alone \
	   */

/**
 * struct sb_inventory_image - one image
 * @root:	what keeps it; borrowed from the inventory
 * @error:	why it cannot be read, then nothing else is known of it; code 0: it can
 * @image:	what it is, without a reference
 * @size_bytes:	content of the files of its layers, as unpacked
 * @shared_bytes: as much of it is in layers that another image has, too
 */
struct sb_inventory_image {
	const struct sb_root *root;
	struct sb_err error;
	struct sb_image image;
	uint64_t size_bytes;
	uint64_t shared_bytes;
};

/**
 * struct sb_inventory_layer - one layer of theirs
 * @name:	name of its directory; borrowed from an image
 * @bytes:	content of its files; 0 before sb_inventory_measure()
 * @images:	how many images have it
 */
struct sb_inventory_layer {
	const char *name;
	uint64_t bytes;
	unsigned int images;
};

/**
 * struct sb_inventory - all of a store
 * @roots:	what keeps images
 * @images:	images, sorted by their first reference as people write it; those without one come
 *		last
 * @n_images:	how many
 * @layers:	their layers, each once, sorted by name
 * @n_layers:	how many
 */
struct sb_inventory {
	struct sb_roots roots;
	struct sb_inventory_image *images;
	size_t n_images;
	struct sb_inventory_layer *layers;
	size_t n_layers;
};

#define SB_INVENTORY_INIT     \
	{                     \
		.n_images = 0 \
	}

int sb_inventory_read(int store_dirfd, unsigned int how, struct sb_inventory *ret,
		      struct sb_err *err);
void sb_inventory_measure(int store_dirfd, struct sb_inventory *inventory);
const struct sb_inventory_layer *sb_inventory_find(const struct sb_inventory *inventory,
						   const char *name);
void sb_inventory_done(struct sb_inventory *inventory);

#endif /* SB_IMAGES_INVENTORY_H */
