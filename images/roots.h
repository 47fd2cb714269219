/* SPDX-License-Identifier: Apache-2.0 */
/*
 * roots.h - what keeps images in the store: references, and the sandboxes made of them
 */
#ifndef SB_IMAGES_ROOTS_H
#define SB_IMAGES_ROOTS_H

#include <stddef.h>

#include "images/digest.h"
#include "runtime/base/str.h"

struct sb_err;

/**
 * struct sb_root - an image that is kept; lists are owned
 * @digest:	digest of its manifest
 * @references:	full references that stand for it, sorted
 * @indexes:	digests the registry gave for those, as far as known
 * @sandboxes:	ids of the sandboxes that were made of it
 */
struct sb_root {
	char digest[SB_DIGEST_SIZE];
	struct sb_strv references;
	struct sb_strv indexes;
	struct sb_strv sandboxes;
};

/**
 * struct sb_roots - all of a store, sorted by digest
 * @v:	roots
 * @n:	how many
 */
struct sb_roots {
	struct sb_root *v;
	size_t n;
};

#define SB_ROOTS_INIT     \
	{                 \
		.v = NULL \
	}

int sb_roots_read(int store_dirfd, struct sb_roots *ret, struct sb_err *err);
struct sb_root *sb_roots_find(const struct sb_roots *roots, const char *digest);
void sb_roots_done(struct sb_roots *roots);

#endif /* SB_IMAGES_ROOTS_H */
