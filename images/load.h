/* SPDX-License-Identifier: Apache-2.0 */
/*
 * load.h - images of an archive, unpacked and verified in a stage
 */
#ifndef SB_IMAGES_LOAD_H
#define SB_IMAGES_LOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "images/digest.h"
#include "images/platform.h"
#include "images/reference.h"

struct sb_err;
struct sb_fetched;
struct sb_layer_hooks;
struct sb_layer_limits;

/**
 * struct sb_load - what to load
 * @stage_dirfd:	the stage (stage.h); borrowed
 * @layers_dirfd:	layers/ of the store, to see what is there already; borrowed
 * @source_fd:		OCI layout directory, oci-archive, docker-archive, or a pipe with one of
 *			these; borrowed. -1: @fetched
 * @fetched:		blobs from a registry, borrowed: manifest, config, indexes that lead there,
 *			layers that the store lacks. NULL: @source_fd
 * @n_fetched:		how many
 * @top:		of @fetched, the digest of what the name stands for: an index or a manifest
 * @layers_only:	only unpack what of the layers is among @fetched; the image comes later
 * @name:		reference for the image; NULL: by the names in the archive
 * @platform:		what the image must be for
 * @limits:		bounds for each layer; borrowed
 * @hooks:		for the unpacker; may be NULL
 */
struct sb_load {
	int stage_dirfd;
	int layers_dirfd;
	int source_fd;
	const struct sb_fetched *fetched;
	size_t n_fetched;
	const char *top;
	bool layers_only;
	const char *name;
	struct sb_platform platform;
	const struct sb_layer_limits *limits;
	const struct sb_layer_hooks *hooks;
};

/**
 * struct sb_loaded - an image that is complete: plain data, fit to be sent
 * @reference:		full reference it is to get
 * @digest:		manifest digest
 * @config_digest:	config digest
 * @stands_for:		what the reference stands for in its registry: the digest of an index, or
 *			@digest again; "" if it comes from no registry
 * @layers:		how many it has
 * @size_bytes:		content of their files
 */
struct sb_loaded {
	char reference[SB_REFERENCE_SIZE];
	char digest[SB_DIGEST_SIZE];
	char config_digest[SB_DIGEST_SIZE];
	char stands_for[SB_DIGEST_SIZE];
	uint32_t layers;
	uint64_t size_bytes;
};

/**
 * struct sb_loaded_list - all that one load has unpacked, one element a reference
 * @v:	images
 * @n:	how many
 */
struct sb_loaded_list {
	struct sb_loaded *v;
	size_t n;
};

#define SB_LOADED_LIST_INIT \
	{                   \
		.v = NULL   \
	}

int sb_load_run(const struct sb_load *load, struct sb_loaded_list *ret, struct sb_err *err);
int sb_loaded_list_add(struct sb_loaded_list *list, const struct sb_loaded *image,
		       struct sb_err *err);
void sb_loaded_list_done(struct sb_loaded_list *list);

#endif /* SB_IMAGES_LOAD_H */
