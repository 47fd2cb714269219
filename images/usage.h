/* SPDX-License-Identifier: Apache-2.0 */
/*
 * usage.h - what takes how much space in the store
 */
#ifndef SB_IMAGES_USAGE_H
#define SB_IMAGES_USAGE_H

#include "images/collect.h"
#include "images/disk.h"
#include "images/inventory.h"

struct sb_err;

/**
 * struct sb_usage - what takes how much space
 * @inventory:		images and layers, measured
 * @images:		images, each as if it were alone
 * @layers:		their layers, each once
 * @blobs:		their manifests and configurations
 * @partials:		unfinished downloads, also those that somebody works on
 * @garbage:		what nothing keeps, and unfinished downloads that nobody works on
 * @prunable:		what sb_images_prune() would remove of all that
 * @sandboxes:		writable layers and logs of sandboxes
 */
struct sb_usage {
	struct sb_inventory inventory;
	struct sb_tally images;
	struct sb_tally layers;
	struct sb_tally blobs;
	struct sb_tally partials;
	struct sb_collected garbage;
	struct sb_collected prunable;
	struct sb_tally sandboxes;
};

int sb_usage_read(int store_dirfd, struct sb_usage *ret, struct sb_err *err);
void sb_usage_done(struct sb_usage *usage);

#endif /* SB_IMAGES_USAGE_H */
