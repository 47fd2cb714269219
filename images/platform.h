/* SPDX-License-Identifier: Apache-2.0 */
/*
 * platform.h - which images run on this machine
 */
#ifndef SB_IMAGES_PLATFORM_H
#define SB_IMAGES_PLATFORM_H

#include <jansson.h>

struct sb_err;

enum sb_platform_fit {
	SB_PLATFORM_NO,    /* another system or machine, or no image at all */
	SB_PLATFORM_MAYBE, /* the machine, but another variant of it, or not said */
	SB_PLATFORM_YES,   /* what every machine of this kind runs */
};

const char *sb_platform_architecture(void);
enum sb_platform_fit sb_platform_fit_of(const json_t *platform);
int sb_platform_check(const char *os, const char *architecture, struct sb_err *err);

#endif /* SB_IMAGES_PLATFORM_H */
