/* SPDX-License-Identifier: Apache-2.0 */
/*
 * collect.h - remove from the store what nothing keeps
 */
#ifndef SB_IMAGES_COLLECT_H
#define SB_IMAGES_COLLECT_H

#include <stdbool.h>
#include <stdint.h>

#include "images/disk.h"

struct sb_err;

/**
 * struct sb_collected - what was removed, or can be
 * @layers:	unpacked layers
 * @blobs:	manifests and configurations
 * @partials:	unfinished downloads
 * @stages:	unfinished loads
 */
struct sb_collected {
	struct sb_tally layers;
	struct sb_tally blobs;
	struct sb_tally partials;
	struct sb_tally stages;
};

#define SB_COLLECTED_INIT     \
	{                     \
		.layers.n = 0 \
	}

/**
 * struct sb_collection - one garbage collection
 * @store_dirfd:	the store; borrowed
 * @dry:		remove nothing, only count; the store's lock is not needed then. An image
 *			that cannot be read keeps nothing but its manifest then
 * @unused:		with @dry: as if images that no sandbox uses had lost their names, which is
 *			what sb_images_prune() can do; here images have to be readable again
 * @all_partials:	unfinished downloads that nobody works on, too, if they are less than a day
 *			old: a pull could still go on from them
 * @unname:		called under the lock before anything is looked at, to remove references;
 *			NULL for none. On failure nothing is collected
 * @arg:		handed to @unname
 */
struct sb_collection {
	int store_dirfd;
	bool dry;
	bool unused;
	bool all_partials;
	int (*unname)(int store_dirfd, void *arg, struct sb_err *err);
	void *arg;
};

int sb_collect(const struct sb_collection *how, struct sb_collected *ret, struct sb_err *err);
uint64_t sb_collected_bytes(const struct sb_collected *c);

#endif /* SB_IMAGES_COLLECT_H */
