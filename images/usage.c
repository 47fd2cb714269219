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

/* Count every entry of a directory, which may be missing, by what @measure has for it. */
static void tally_dir(int store_dirfd, const char *name,
		      uint64_t (*measure)(int dirfd, const char *name), struct sb_tally *tally)
{
	_cleanup_dir_ DIR *dir = sb_opendir_at(store_dirfd, name);
	struct dirent *e;

	while (dir && (e = readdir(dir)))
		if (e->d_name[0] != '.')
			sb_tally_add(tally, measure(dirfd(dir), e->d_name));
}

static void tally_images(struct sb_usage *u)
{
	for (size_t i = 0; i < u->inventory.n_images; i++)
		sb_tally_add(&u->images, u->inventory.images[i].size_bytes);
	for (size_t i = 0; i < u->inventory.n_layers; i++)
		sb_tally_add(&u->layers, u->inventory.layers[i].bytes);
}

/* What nothing keeps, and what pruning all would remove: it does the same, but for the removing. */
static int count_garbage(int store_dirfd, struct sb_usage *u, struct sb_err *err)
{
	struct sb_collection how = { .store_dirfd = store_dirfd,
				     .dry = true,
				     .all_partials = true };

	if (sb_collect(&how, &u->garbage, err) < 0)
		return -err->code;
	how.unused = true;
	if (sb_collect(&how, &u->prunable, err) == 0)
		return 0;
	/* An image of a sandbox cannot be read: then nothing would be removed. */
	u->prunable = (struct sb_collected)SB_COLLECTED_INIT;
	if (err->code != EPROTO)
		return -err->code;
	*err = (struct sb_err)SB_ERR_INIT;
	return 0;
}

/**
 * sb_usage_read() - Look what takes how much space in a store
 * @store_dirfd:	the store; borrowed
 * @ret:	sb_usage_done() frees it; written on success only
 *
 * Layers, manifests and configurations count by the content of their files, all else by the space
 * on the disk. Every file that a sandbox has written is looked at. What others load or remove
 * meanwhile may count or not.
 *
 * Return: 0, or a negative errno value
 */
int sb_usage_read(int store_dirfd, struct sb_usage *ret, struct sb_err *err)
{
	struct sb_usage u = { .inventory = SB_INVENTORY_INIT };
	_cleanup_dir_ DIR *dir = sb_opendir_at(store_dirfd, ".");
	struct dirent *e;

	if (!dir)
		return sb_err_set(err, errno, "open the store");
	if (sb_inventory_read(store_dirfd, 0, &u.inventory, err) < 0)
		return -err->code;
	if (count_garbage(store_dirfd, &u, err) < 0) {
		sb_usage_done(&u);
		return -err->code;
	}
	sb_inventory_measure(store_dirfd, &u.inventory);
	tally_images(&u);
	tally_dir(store_dirfd, SB_STORE_BLOBS, sb_disk_file_bytes, &u.blobs);
	sb_tally_subtract(&u.blobs, &u.garbage.blobs);
	tally_dir(store_dirfd, SB_STORE_PARTIAL, sb_disk_bytes, &u.partials);
	while ((e = readdir(dir)))
		if (!strncmp(e->d_name, SB_STORE_SANDBOXES, strlen(SB_STORE_SANDBOXES)))
			tally_dir(store_dirfd, e->d_name, sb_disk_bytes, &u.sandboxes);
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
