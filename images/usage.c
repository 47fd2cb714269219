/* SPDX-License-Identifier: Apache-2.0 */
/* usage.c - what takes how much space in the store */
#include "images/usage.h"

#include <errno.h>
#include <string.h>
#include <sys/file.h>

#include "images/store.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/err.h"
#include "runtime/base/path.h"

/* Count every entry of a directory, which may be missing. */
static void tally_dir(int store_dirfd, const char *name, struct sb_tally *tally)
{
	_cleanup_dir_ DIR *dir = sb_opendir_at(store_dirfd, name);
	struct dirent *e;

	while (dir && (e = readdir(dir)))
		if (e->d_name[0] != '.')
			sb_tally_add(tally, sb_disk_bytes(dirfd(dir), e->d_name));
}

static void tally_images(struct sb_usage *u)
{
	for (size_t i = 0; i < u->inventory.n_images; i++)
		sb_tally_add(&u->images, u->inventory.images[i].size_bytes);
	for (size_t i = 0; i < u->inventory.n_layers; i++) {
		const struct sb_inventory_layer *l = &u->inventory.layers[i];

		sb_tally_add(&u->layers, l->bytes);
		if (!l->in_use)
			sb_tally_add(&u->unused, l->bytes);
	}
}

/**
 * sb_usage_read() - Look what takes how much space in a store
 * @store_dirfd:	the store; borrowed
 * @ret:	sb_usage_done() frees it; written on success only
 *
 * Layers count by the content of their files, all else by the space on the disk. Every file that a
 * sandbox has written is looked at. What others load or remove meanwhile may count or not.
 *
 * Return: 0, or a negative errno value (-EPROTO: an image cannot be read)
 */
int sb_usage_read(int store_dirfd, struct sb_usage *ret, struct sb_err *err)
{
	const struct sb_collection how = { .store_dirfd = store_dirfd,
					   .dry = true,
					   .all_partials = true };
	struct sb_usage u = { .inventory = SB_INVENTORY_INIT };
	_cleanup_dir_ DIR *dir = sb_opendir_at(store_dirfd, ".");
	struct dirent *e;

	if (!dir)
		return sb_err_set(err, errno, "open the store");
	if (sb_inventory_read(store_dirfd, false, &u.inventory, err) < 0)
		return -err->code;
	if (sb_collect(&how, &u.garbage, err) < 0) {
		sb_usage_done(&u);
		return -err->code;
	}
	sb_inventory_measure(store_dirfd, &u.inventory);
	tally_images(&u);
	tally_dir(store_dirfd, SB_STORE_PARTIAL, &u.partials);
	while ((e = readdir(dir)))
		if (!strncmp(e->d_name, SB_STORE_SANDBOXES, strlen(SB_STORE_SANDBOXES)))
			tally_dir(store_dirfd, e->d_name, &u.sandboxes);
	*ret = u;
	return 0;
}

/**
 * sb_usage_done() - Free what it holds
 * @usage:	usage
 */
void sb_usage_done(struct sb_usage *usage)
{
	sb_inventory_done(&usage->inventory);
}
