/* SPDX-License-Identifier: Apache-2.0 */
/* inventory.c - all images that something keeps, with their layers */
#include "images/inventory.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "images/disk.h"
#include "images/stored.h"
#include "runtime/base/err.h"

static int by_name(const void *a, const void *b)
{
	const struct sb_inventory_layer *x = a, *y = b;

	return strcmp(x->name, y->name);
}

/* By the first name; those that only sandboxes keep come last. */
static int by_first_name(const void *a, const void *b)
{
	const struct sb_inventory_image *x = a, *y = b;

	if (x->root->references.n == 0 || y->root->references.n == 0)
		return (x->root->references.n == 0) - (y->root->references.n == 0);
	return strcmp(x->root->references.v[0], y->root->references.v[0]);
}

/* Which image can't be read, and what follows from that. */
static int blame(const struct sb_root *root, struct sb_err *err)
{
	/* A manifest that something keeps is not just another name that nobody knows. */
	if (err->code == ENOENT)
		(void)sb_err_refuse(err, EPROTO, "its manifest is missing");
	err->hint[0] = '\0';
	if (root->references.n > 0) {
		(void)sb_err_prefix(err, "image '%s' cannot be read", root->references.v[0]);
		return sb_err_hint(err, "remove it with 'sbrun image rm', then load it again");
	}
	(void)sb_err_prefix(err, "the image of sandbox '%s' cannot be read",
			    root->sandboxes.n > 0 ? root->sandboxes.v[0] : "");
	return sb_err_hint(err, "remove the sandbox, then load the image again");
}

static int read_image(int store_dirfd, const struct sb_root *root, struct sb_inventory *inv,
		      struct sb_err *err)
{
	struct sb_inventory_image *i = &inv->images[inv->n_images];
	struct sb_strv diff_ids = SB_STRV_INIT;
	int r;

	*i = (struct sb_inventory_image){ .root = root, .image = SB_IMAGE_INIT };
	r = sb_stored_image_read(store_dirfd, root->digest, &i->image, &diff_ids, err);
	sb_strv_done(&diff_ids);
	if (r < 0)
		sb_image_done(&i->image);
	else
		inv->n_images++;
	return r;
}

/* Put equal neighbours of the sorted list together. */
static void merge_layers(struct sb_inventory *inv)
{
	size_t n = 0;

	for (size_t i = 0; i < inv->n_layers; i++) {
		struct sb_inventory_layer *l = &inv->layers[i];

		if (n > 0 && !strcmp(inv->layers[n - 1].name, l->name)) {
			inv->layers[n - 1].images++;
			inv->layers[n - 1].in_use |= l->in_use;
		} else {
			inv->layers[n++] = *l;
		}
	}
	inv->n_layers = n;
}

static int list_layers(struct sb_inventory *inv, struct sb_err *err)
{
	size_t n = 0;

	for (size_t i = 0; i < inv->n_images; i++)
		n += inv->images[i].image.layers.n;
	inv->layers = calloc(n + 1, sizeof(*inv->layers));
	if (!inv->layers)
		return sb_err_set(err, ENOMEM, "list the layers");
	for (size_t i = 0; i < inv->n_images; i++) {
		const struct sb_inventory_image *image = &inv->images[i];

		for (size_t k = 0; k < image->image.layers.n; k++)
			inv->layers[inv->n_layers++] = (struct sb_inventory_layer){
				.name = image->image.layers.v[k],
				.images = 1,
				.in_use = image->root->sandboxes.n > 0,
			};
	}
	qsort(inv->layers, inv->n_layers, sizeof(*inv->layers), by_name);
	merge_layers(inv);
	return 0;
}

static int read_all(int store_dirfd, bool complete, struct sb_inventory *inv, struct sb_err *err)
{
	if (sb_roots_read(store_dirfd, &inv->roots, err) < 0)
		return -err->code;
	inv->images = calloc(inv->roots.n + 1, sizeof(*inv->images));
	if (!inv->images)
		return sb_err_set(err, ENOMEM, "list the images");
	for (size_t i = 0; i < inv->roots.n; i++) {
		struct sb_err why = SB_ERR_INIT;
		int r = read_image(store_dirfd, &inv->roots.v[i], inv, &why);

		if (r == 0 || (r == -ENOENT && !complete))
			continue;
		*err = why;
		return blame(&inv->roots.v[i], err);
	}
	qsort(inv->images, inv->n_images, sizeof(*inv->images), by_first_name);
	return list_layers(inv, err);
}

/**
 * sb_inventory_read() - Read all images that something keeps
 * @store_dirfd:	the store; borrowed
 * @complete:	the caller holds the store's lock, so an image whose manifest is missing is an
 *error; else it has been removed meanwhile, and is left out
 * @ret:	sb_inventory_done() frees it; written on success only
 *
 * Return: 0, or a negative errno value (-EPROTO: an image cannot be read; the message has its name)
 */
int sb_inventory_read(int store_dirfd, bool complete, struct sb_inventory *ret, struct sb_err *err)
{
	struct sb_inventory inv = SB_INVENTORY_INIT;

	if (read_all(store_dirfd, complete, &inv, err) < 0) {
		sb_inventory_done(&inv);
		return -err->code;
	}
	*ret = inv;
	return 0;
}

/**
 * sb_inventory_find() - Look a layer up
 * @inventory:	inventory
 * @name:	name of its directory
 *
 * Return: borrowed from @inventory, or NULL
 */
const struct sb_inventory_layer *sb_inventory_find(const struct sb_inventory *inventory,
						   const char *name)
{
	const struct sb_inventory_layer key = { .name = name };

	return bsearch(&key, inventory->layers, inventory->n_layers, sizeof(key), by_name);
}

/**
 * sb_inventory_measure() - Fill in the sizes
 * @store_dirfd:	the store; borrowed
 * @inventory:	inventory
 */
void sb_inventory_measure(int store_dirfd, struct sb_inventory *inventory)
{
	for (size_t i = 0; i < inventory->n_layers; i++)
		inventory->layers[i].bytes =
			sb_disk_layer_bytes(store_dirfd, inventory->layers[i].name);
	for (size_t i = 0; i < inventory->n_images; i++) {
		struct sb_inventory_image *image = &inventory->images[i];

		for (size_t k = 0; k < image->image.layers.n; k++) {
			const struct sb_inventory_layer *l =
				sb_inventory_find(inventory, image->image.layers.v[k]);

			image->size_bytes += l ? l->bytes : 0;
			image->shared_bytes += l && l->images > 1 ? l->bytes : 0;
		}
	}
}

/**
 * sb_inventory_done() - Free an inventory; it is empty afterwards
 * @inventory:	inventory
 */
void sb_inventory_done(struct sb_inventory *inventory)
{
	for (size_t i = 0; i < inventory->n_images; i++)
		sb_image_done(&inventory->images[i].image);
	free(inventory->images);
	free(inventory->layers);
	sb_roots_done(&inventory->roots);
	*inventory = (struct sb_inventory)SB_INVENTORY_INIT;
}

static int by_reference(const void *a, const void *b)
{
	const struct sb_image_info *x = a, *y = b;

	return strcmp(x->reference, y->reference);
}

/* One line for each name of an image. */
static int list_names(const struct sb_inventory_image *image, struct sb_image_list *list,
		      struct sb_err *err)
{
	for (size_t i = 0; i < image->root->references.n; i++) {
		struct sb_image_info *info = &list->v[list->n++];

		*info = (struct sb_image_info){
			.reference = strdup(image->root->references.v[i]),
			.digest = strdup(image->root->digest),
			.created_ms = image->image.created_ms,
			.size_bytes = image->size_bytes,
			.shared_bytes = image->shared_bytes,
		};
		if (!info->reference || !info->digest)
			return sb_err_set(err, ENOMEM, "list the images");
	}
	return 0;
}

static int list_all(const struct sb_inventory *inv, struct sb_image_list *list, struct sb_err *err)
{
	size_t n = 0;

	for (size_t i = 0; i < inv->n_images; i++)
		n += inv->images[i].root->references.n;
	list->v = calloc(n + 1, sizeof(*list->v));
	if (!list->v)
		return sb_err_set(err, ENOMEM, "list the images");
	for (size_t i = 0; i < inv->n_images; i++)
		if (list_names(&inv->images[i], list, err) < 0)
			return -err->code;
	qsort(list->v, list->n, sizeof(*list->v), by_reference);
	return 0;
}

/**
 * sb_images_list() - Which images have names
 * @store_dirfd:	the store; borrowed. One that is not made yet is empty
 * @ret:	sorted by reference; sb_images_list_done() frees it
 *
 * An image that vanishes or is replaced meanwhile is left out or listed as it was.
 *
 * Return: 0, or a negative errno value
 */
int sb_images_list(int store_dirfd, struct sb_image_list *ret, struct sb_err *err)
{
	struct sb_image_list list = SB_IMAGE_LIST_INIT;
	struct sb_inventory inv = SB_INVENTORY_INIT;
	int r;

	if (sb_inventory_read(store_dirfd, false, &inv, err) < 0)
		return -err->code;
	sb_inventory_measure(store_dirfd, &inv);
	r = list_all(&inv, &list, err);
	sb_inventory_done(&inv);
	if (r < 0) {
		sb_images_list_done(&list);
		return r;
	}
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
