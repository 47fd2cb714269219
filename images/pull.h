/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pull.h - an image of a registry into the store
 */
#ifndef SB_IMAGES_PULL_H
#define SB_IMAGES_PULL_H

#include <stdbool.h>

#include "images/fetcher.h"
#include "images/load.h"

struct sb_err;
struct sb_layer_limits;
struct sb_progress;

/**
 * struct sb_pull - what to pull; all borrowed
 * @fetch:	what to ask which registry for; its @known and @transfers are the pull's own
 * @store_dirfd:	the store
 * @reference:	full name that the image gets
 * @limits:	bounds for each layer
 * @progress:	shows how far it is
 */
struct sb_pull {
	struct sb_fetch fetch;
	int store_dirfd;
	const char *reference;
	const struct sb_layer_limits *limits;
	struct sb_progress *progress;
};

int sb_pull_run(const struct sb_pull *job, struct sb_loaded *ret, struct sb_err *err);

#endif /* SB_IMAGES_PULL_H */
