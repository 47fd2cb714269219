/* SPDX-License-Identifier: Apache-2.0 */
/*
 * resolve.h - which image of the store a user means
 */
#ifndef SB_IMAGES_RESOLVE_H
#define SB_IMAGES_RESOLVE_H

#include <stdbool.h>

#include "images/digest.h"
#include "images/reference.h"

struct sb_err;

/**
 * struct sb_resolved - an image that was found
 * @reference:	full reference it was found by; empty if it was found by a digest
 * @digest:	digest of its manifest
 * @index:	digest the registry gave for the reference; empty if none is known
 */
struct sb_resolved {
	char reference[SB_REFERENCE_SIZE];
	char digest[SB_DIGEST_SIZE];
	char index[SB_DIGEST_SIZE];
};

bool sb_resolve_is_id(const char *text);
int sb_resolve(int store_dirfd, const char *text, struct sb_resolved *ret, struct sb_err *err);

#endif /* SB_IMAGES_RESOLVE_H */
