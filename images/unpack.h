/* SPDX-License-Identifier: Apache-2.0 */
/*
 * unpack.h - the layers that a load has to unpack, and their unpacking in parallel
 */
#ifndef SB_IMAGES_UNPACK_H
#define SB_IMAGES_UNPACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "images/digest.h"
#include "images/store.h"

struct sb_bundle;
struct sb_err;
struct sb_incoming_layer;
struct sb_incoming_list;
struct sb_layer_hooks;
struct sb_layer_limits;

/**
 * struct sb_unpack - from where to where layers are unpacked; all borrowed
 * @bundle:		where the blobs are
 * @stored_dirfd:	layers/ of the store
 * @dirfd:		where a directory and a record a layer are made
 * @layers_only:	layers that are neither stored nor in @bundle are left out
 * @limits:		bounds for each layer
 * @hooks:		for the unpacker; called by several threads at once, may be NULL
 */
struct sb_unpack {
	const struct sb_bundle *bundle;
	int stored_dirfd;
	int dirfd;
	bool layers_only;
	const struct sb_layer_limits *limits;
	const struct sb_layer_hooks *hooks;
};

/**
 * struct sb_unpack_layer - a layer, listed once however many images have it
 * @layer:	where it comes from, borrowed from the list of images
 * @name:	name of its directory
 * @size:	bytes of its blob
 * @stored:	it was in the store already
 * @record:	its sizes; of one that is to be unpacked: after that
 */
struct sb_unpack_layer {
	const struct sb_incoming_layer *layer;
	char name[SB_DIGEST_SIZE];
	uint64_t size;
	bool stored;
	struct sb_layer_record record;
};

/**
 * struct sb_unpack_plan - all layers of a load, the largest first
 * @v:	layers
 * @n:	how many
 */
struct sb_unpack_plan {
	struct sb_unpack_layer *v;
	size_t n;
};

#define SB_UNPACK_PLAN_INIT \
	{                   \
		.v = NULL   \
	}

int sb_unpack_plan_make(const struct sb_incoming_list *images, const struct sb_unpack *job,
			struct sb_unpack_plan *ret, struct sb_err *err);
void sb_unpack_plan_done(struct sb_unpack_plan *plan);
const struct sb_unpack_layer *sb_unpack_plan_find(const struct sb_unpack_plan *plan,
						  const char *diff_id);
int sb_unpack_run(struct sb_unpack_plan *plan, const struct sb_unpack *job, struct sb_err *err);

#endif /* SB_IMAGES_UNPACK_H */
