/* SPDX-License-Identifier: Apache-2.0 */
/* inventory.c - all images that something keeps, with their layers */
#include "images/inventory.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "images/disk.h"
#include "images/store.h"
#include "images/stored.h"
#include "runtime/base/err.h"

static int by_name(const void *a, const void *b)
{
	const struct sb_inventory_layer *x = a, *y = b;

	return strcmp(x->name, y->name);
}

/* Sorted is what people see: the short forms of full references. */
static int compare_names(const char *a, const char *b)
{
	char x[SB_IMAGE_REFERENCE_SIZE], y[SB_IMAGE_REFERENCE_SIZE];
	int r = 0;

	if (sb_image_familiar(a, x, sizeof(x)) == 0 && sb_image_familiar(b, y, sizeof(y)) == 0)
		r = strcmp(x, y);
	return r ? r : strcmp(a, b);
}

/* By the first name; those that only sandboxes keep come last. */
static int by_first_name(const void *a, const void *b)
{
	const struct sb_inventory_image *x = a, *y = b;

	if (x->root->references.n == 0 || y->root->references.n == 0)
		return (x->root->references.n == 0) - (y->root->references.n == 0);
	return compare_names(x->root->references.v[0], y->root->references.v[0]);
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

static int read_image(int store_dirfd, struct sb_inventory_image *i)
{
	struct sb_strv diff_ids = SB_STRV_INIT;
	int r;

	i->error = (struct sb_err)SB_ERR_INIT;
	r = sb_stored_image_read(store_dirfd, i->root->digest, &i->image, &diff_ids, &i->error);
	sb_strv_done(&diff_ids);
	if (r < 0)
		sb_image_done(&i->image);
	return r;
}

static bool is_kept(int store_dirfd, const char *digest)
{
	struct sb_err ignored = SB_ERR_INIT;
	struct sb_roots roots;
	bool found;

	if (sb_roots_read(store_dirfd, &roots, &ignored) < 0)
		return true;
	found = sb_roots_find(&roots, digest);
	sb_roots_done(&roots);
	return found;
}

/*
 * Add an image. One whose manifest is missing may have been removed since its root was read: roots
 * go before manifests, and come after them, so it is broken only if it still has one and cannot be
 * read now either.
 */
static int add_image(int store_dirfd, const struct sb_root *root, bool strict,
		     struct sb_inventory *inv, struct sb_err *err)
{
	struct sb_inventory_image *i = &inv->images[inv->n_images];
	int r;

	*i = (struct sb_inventory_image){ .root = root, .image = SB_IMAGE_INIT };
	r = read_image(store_dirfd, i);
	if (r == -ENOENT && !is_kept(store_dirfd, root->digest))
		return 0;
	if (r == -ENOENT)
		r = read_image(store_dirfd, i);
	if (r < 0)
		(void)blame(root, &i->error);
	if (r < 0 && strict) {
		*err = i->error;
		return -err->code;
	}
	inv->n_images++;
	return 0;
}

/* Put equal neighbours of the sorted list together. */
static void merge_layers(struct sb_inventory *inv)
{
	size_t n = 0;

	for (size_t i = 0; i < inv->n_layers; i++) {
		struct sb_inventory_layer *l = &inv->layers[i];

		if (n > 0 && !strcmp(inv->layers[n - 1].name, l->name)) {
			inv->layers[n - 1].images++;
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
			};
	}
	qsort(inv->layers, inv->n_layers, sizeof(*inv->layers), by_name);
	merge_layers(inv);
	return 0;
}

static int read_all(int store_dirfd, unsigned int how, struct sb_inventory *inv, struct sb_err *err)
{
	if (sb_roots_read(store_dirfd, &inv->roots, err) < 0)
		return -err->code;
	inv->images = calloc(inv->roots.n + 1, sizeof(*inv->images));
	if (!inv->images)
		return sb_err_set(err, ENOMEM, "list the images");
	for (size_t i = 0; i < inv->roots.n; i++) {
		const struct sb_root *root = &inv->roots.v[i];

		if ((how & SB_INVENTORY_IN_USE) && root->sandboxes.n == 0 && root->references.n > 0)
			continue;
		if (add_image(store_dirfd, root, how & SB_INVENTORY_STRICT, inv, err) < 0)
			return -err->code;
	}
	qsort(inv->images, inv->n_images, sizeof(*inv->images), by_first_name);
	return list_layers(inv, err);
}

/**
 * sb_inventory_read() - Read all images that something keeps
 * @store_dirfd:	the store; borrowed
 * @how:	SB_INVENTORY_…, or 0
 * @ret:	sb_inventory_done() frees it; written on success only
 *
 * Without the store's lock, an image that is removed meanwhile may be there or not.
 *
 * Return: 0, or a negative errno value (-EPROTO: a reference is broken, or, if strict, an image
 * cannot be read; the message has its name)
 */
int sb_inventory_read(int store_dirfd, unsigned int how, struct sb_inventory *ret,
		      struct sb_err *err)
{
	struct sb_inventory inv = SB_INVENTORY_INIT;

	if (read_all(store_dirfd, how, &inv, err) < 0) {
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

	return compare_names(x->reference, y->reference);
}

/* What a name stands for in its registry, empty if that is not known. */
static void read_index(int store_dirfd, const char *reference, char *ret_index)
{
	char file[SB_STORE_NAME_SIZE], path[sizeof(SB_STORE_REFS) + SB_STORE_NAME_SIZE];
	char digest[SB_DIGEST_SIZE];
	struct sb_err ignored = SB_ERR_INIT;
	struct sb_image_ref ref;

	ret_index[0] = '\0';
	if (sb_reference_parse(reference, &ref, &ignored) < 0 ||
	    sb_store_ref_file_name(&ref, file, &ignored) < 0)
		return;
	snprintf(path, sizeof(path), SB_STORE_REFS "/%s", file);
	(void)sb_store_read_ref(store_dirfd, path, digest, ret_index);
}

/* strdup(3) that takes NULL; *@failed is set without memory. */
static char *copy(const char *text, bool *failed)
{
	char *ret = text ? strdup(text) : NULL;

	*failed |= text && !ret;
	return ret;
}

/* One line for each name of an image. */
static int list_names(int store_dirfd, const struct sb_inventory_image *image,
		      struct sb_image_list *list, struct sb_err *err)
{
	char index[SB_DIGEST_SIZE], text[SB_ERR_MSG_MAX + 64];
	const char *error = NULL;
	struct sb_err why = image->error;
	bool failed = false;

	why.hint[0] = '\0';
	if (why.code)
		error = sb_err_text(&why, text, sizeof(text));
	for (size_t i = 0; i < image->root->references.n; i++) {
		read_index(store_dirfd, image->root->references.v[i], index);
		list->v[list->n++] = (struct sb_image_info){
			.reference = copy(image->root->references.v[i], &failed),
			.digest = copy(image->root->digest, &failed),
			.index = copy(index[0] ? index : NULL, &failed),
			.error = copy(error, &failed),
			.id = copy(image->image.config_digest, &failed),
			.os = copy(image->image.os, &failed),
			.architecture = copy(image->image.architecture, &failed),
			.variant = copy(image->image.variant, &failed),
			.sandboxes = image->root->sandboxes.n,
			.created_ms = image->image.created_ms,
			.size_bytes = image->size_bytes,
			.shared_bytes = image->shared_bytes,
		};
	}
	return failed ? sb_err_set(err, ENOMEM, "list the images") : 0;
}

static int list_all(int store_dirfd, const struct sb_inventory *inv, struct sb_image_list *list,
		    struct sb_err *err)
{
	size_t n = 0;

	for (size_t i = 0; i < inv->n_images; i++)
		n += inv->images[i].root->references.n;
	list->v = calloc(n + 1, sizeof(*list->v));
	if (!list->v)
		return sb_err_set(err, ENOMEM, "list the images");
	for (size_t i = 0; i < inv->n_images; i++)
		if (list_names(store_dirfd, &inv->images[i], list, err) < 0)
			return -err->code;
	qsort(list->v, list->n, sizeof(*list->v), by_reference);
	return 0;
}

/**
 * sb_images_list() - Which images have names
 * @store_dirfd:	the store; borrowed. One that is not made yet is empty
 * @ret:	sorted by reference as people write it; sb_images_list_done() frees it
 *
 * An image that vanishes or is replaced meanwhile is left out or listed as it was; one that cannot
 * be read is listed with the reason.
 *
 * Return: 0, or a negative errno value
 */
int sb_images_list(int store_dirfd, struct sb_image_list *ret, struct sb_err *err)
{
	struct sb_image_list list = SB_IMAGE_LIST_INIT;
	struct sb_inventory inv = SB_INVENTORY_INIT;
	int r;

	if (sb_inventory_read(store_dirfd, 0, &inv, err) < 0)
		return -err->code;
	sb_inventory_measure(store_dirfd, &inv);
	r = list_all(store_dirfd, &inv, &list, err);
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
		free(list->v[i].index);
		free(list->v[i].error);
		free(list->v[i].id);
		free(list->v[i].os);
		free(list->v[i].architecture);
		free(list->v[i].variant);
	}
	free(list->v);
	*list = (struct sb_image_list)SB_IMAGE_LIST_INIT;
}
