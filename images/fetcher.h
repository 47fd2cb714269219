/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fetcher.h - the process that talks to registries
 */
#ifndef SB_IMAGES_FETCHER_H
#define SB_IMAGES_FETCHER_H

#include <stddef.h>

#include "images/digest.h"
#include "images/limits.h"
#include "images/platform.h"

struct sb_err;
struct sb_image_ref;
struct sb_settings;
struct sb_transfer;
struct sb_worker;

#define SB_FETCHER_NAME "fetcher" /* for sb_worker_end() */

/**
 * struct sb_fetch - what a fetcher is to fetch; all borrowed until it has ended
 * @ref:	name of the image
 * @settings:	where to ask
 * @platform:	what the image must be for
 * @known:	digest that the name stood for when the store got it: if it still does, that is all
 *		the fetcher says. "": not asked
 * @transfers:	how far the layers are, by number; SB_IMAGE_LAYERS_MAX of them
 */
struct sb_fetch {
	const struct sb_image_ref *ref;
	const struct sb_settings *settings;
	struct sb_platform platform;
	char known[SB_DIGEST_SIZE];
	struct sb_transfer *transfers;
};

int sb_fetcher_start(const struct sb_fetch *job, struct sb_worker *ret, struct sb_err *err);

#endif /* SB_IMAGES_FETCHER_H */
