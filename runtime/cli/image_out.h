/* SPDX-License-Identifier: Apache-2.0 */
/*
 * image_out.h - how commands show images and what was removed of them
 */
#ifndef SB_CLI_IMAGE_OUT_H
#define SB_CLI_IMAGE_OUT_H

#include <stddef.h>

#include <jansson.h>

struct sb_collected;
struct sb_strv;

#define SB_IMAGE_SHORT_ID 13 /* room for the first 12 digits of an id, as docker shows them */

const char *sb_image_out_id(const char *id, char buf[SB_IMAGE_SHORT_ID]);
const char *sb_image_out_familiar(const char *reference, char *buf, size_t size);
json_t *sb_image_json_familiar(const struct sb_strv *references);
void sb_image_out_collected(const struct sb_collected *c);
json_t *sb_image_json_collected(const struct sb_collected *c);

#endif /* SB_CLI_IMAGE_OUT_H */
