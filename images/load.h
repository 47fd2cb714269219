/* SPDX-License-Identifier: Apache-2.0 */
/*
 * load.h - images of an archive into the store
 */
#ifndef SB_IMAGES_LOAD_H
#define SB_IMAGES_LOAD_H

#include <stddef.h>
#include <stdint.h>

struct sb_err;
struct sb_layer_hooks;

/**
 * struct sb_load - what to load
 * @store_dirfd:	the store, borrowed
 * @source_fd:		OCI layout directory, oci-archive, docker-archive, or a pipe with one of
 *			these; borrowed
 * @name:		reference for the image; NULL: by the names in the archive
 * @hooks:		for the unpacker; may be NULL
 */
struct sb_load {
	int store_dirfd;
	int source_fd;
	const char *name;
	const struct sb_layer_hooks *hooks;
};

/**
 * struct sb_loaded - an image that was stored; strings are owned
 * @reference:	full reference
 * @digest:	manifest digest
 * @layers:	how many it has
 * @size_bytes:	content of their files
 */
struct sb_loaded {
	char *reference;
	char *digest;
	size_t layers;
	uint64_t size_bytes;
};

/**
 * struct sb_loaded_list - all that one load has stored
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
void sb_loaded_list_done(struct sb_loaded_list *list);

#endif /* SB_IMAGES_LOAD_H */
