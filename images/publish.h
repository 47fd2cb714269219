/* SPDX-License-Identifier: Apache-2.0 */
/*
 * publish.h - what was unpacked and verified becomes part of the store
 */
#ifndef SB_IMAGES_PUBLISH_H
#define SB_IMAGES_PUBLISH_H

#include <stdbool.h>
#include <stddef.h>

#include "images/stage.h"

struct sb_err;
struct sb_loaded;

/**
 * struct sb_publish - a store and a stage in it
 * @store_dirfd:	the store, borrowed
 * @lock_fd:		sb_store_lock(), shared
 * @stage:		where things are made
 * @expects:		whether the store may get a layer or blob of that digest; NULL: any
 * @ctx:		for it
 * @layers_dirfd:	layers/ of the store, owned
 * @blobs_dirfd:	blobs/ of the store, owned
 */
struct sb_publish {
	int store_dirfd;
	int lock_fd;
	struct sb_stage stage;
	bool (*expects)(void *ctx, const char *digest);
	void *ctx;
	int layers_dirfd;
	int blobs_dirfd;
};

#define SB_PUBLISH_INIT                                                                       \
	{                                                                                     \
		.store_dirfd = -1, .lock_fd = -1, .stage = SB_STAGE_INIT, .layers_dirfd = -1, \
		.blobs_dirfd = -1                                                             \
	}

int sb_publish_begin(int store_dirfd, struct sb_publish *ret, struct sb_err *err);
int sb_publish_layers(const struct sb_publish *p, struct sb_err *err);
int sb_publish_images(const struct sb_publish *p, const struct sb_loaded *images, size_t n,
		      struct sb_err *err);
void sb_publish_end(struct sb_publish *p);

#endif /* SB_IMAGES_PUBLISH_H */
