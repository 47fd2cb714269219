/* SPDX-License-Identifier: Apache-2.0 */
/*
 * platform.h - which images run where
 */
#ifndef SB_IMAGES_PLATFORM_H
#define SB_IMAGES_PLATFORM_H

#include <stddef.h>

#include <jansson.h>

struct sb_err;

#define SB_PLATFORM_SIZE 64 /* room for "os/architecture/variant" and a NUL */

/**
 * struct sb_platform - what an image is to run on, in Go's names (image-index.md)
 * @architecture:	e.g. "amd64"; the system is Linux always
 * @variant:		e.g. "v7"; "" for the plain one
 */
struct sb_platform {
	char architecture[24];
	char variant[16];
};

enum sb_platform_fit {
	SB_PLATFORM_NO,    /* another system or machine, or no image at all */
	SB_PLATFORM_MAYBE, /* the machine, but another variant of it, or not said */
	SB_PLATFORM_YES,   /* what every machine of this kind runs */
};

void sb_platform_host(struct sb_platform *ret);
int sb_platform_parse(const char *text, struct sb_platform *ret, struct sb_err *err);
const char *sb_platform_format(const struct sb_platform *platform, char *buf);
enum sb_platform_fit sb_platform_fit_of(const json_t *object, const struct sb_platform *wanted);
int sb_platform_check(const char *os, const char *architecture, const struct sb_platform *wanted,
		      struct sb_err *err);

#endif /* SB_IMAGES_PLATFORM_H */
