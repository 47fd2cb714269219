/* SPDX-License-Identifier: Apache-2.0 */
/*
 * split_format.h - the marks in a layer's record; split.c says what they mean
 */
#ifndef SB_IMAGES_SPLIT_FORMAT_H
#define SB_IMAGES_SPLIT_FORMAT_H

#define SB_SPLIT_MAGIC    "sbrun-split 1\n"
#define SB_SPLIT_REPLACED "replaced "

#define SB_SPLIT_RAW     'R'
#define SB_SPLIT_CONTENT 'C'

#define SB_SPLIT_RAW_HEAD     5  /* mark and length */
#define SB_SPLIT_CONTENT_HEAD 19 /* mark, length, offset, length, without the path */

#endif /* SB_IMAGES_SPLIT_FORMAT_H */
