/* SPDX-License-Identifier: Apache-2.0 */
/*
 * describe.h - all that is known about a stored image, for people
 */
#ifndef SB_IMAGES_DESCRIBE_H
#define SB_IMAGES_DESCRIBE_H

#include <jansson.h>

struct sb_err;

int sb_image_describe(int store_dirfd, const char *image, json_t **ret, struct sb_err *err);
int sb_image_history(int store_dirfd, const char *image, json_t **ret, struct sb_err *err);

#endif /* SB_IMAGES_DESCRIBE_H */
