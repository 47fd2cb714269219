/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config.h - the image configuration (OCI image-spec config.md; Docker's is the same where we read)
 */
#ifndef SB_IMAGES_CONFIG_H
#define SB_IMAGES_CONFIG_H

#include <stddef.h>
#include <stdint.h>

struct sb_err;
struct sb_image;
struct sb_strv;

int sb_config_parse(const char *text, size_t len, struct sb_image *ret,
		    struct sb_strv *ret_diff_ids, struct sb_err *err);
int64_t sb_config_time(const char *s);

#endif /* SB_IMAGES_CONFIG_H */
