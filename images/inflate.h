/* SPDX-License-Identifier: Apache-2.0 */
/*
 * inflate.h - gzip, streaming; to be used through decoder.h
 */
#ifndef SB_IMAGES_INFLATE_H
#define SB_IMAGES_INFLATE_H

struct sb_decoder;
struct sb_err;
struct sb_source;

struct sb_decoder *sb_inflate_new(struct sb_source *from, struct sb_err *err);

#endif /* SB_IMAGES_INFLATE_H */
