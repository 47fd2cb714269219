/* SPDX-License-Identifier: Apache-2.0 */
/*
 * known.h - what the store already has of a name that is to be pulled
 */
#ifndef SB_IMAGES_KNOWN_H
#define SB_IMAGES_KNOWN_H

#include <stdbool.h>

struct sb_loaded;
struct sb_platform;

bool sb_known_find(int store_dirfd, const char *reference, const struct sb_platform *platform,
		   struct sb_loaded *ret);

#endif /* SB_IMAGES_KNOWN_H */
