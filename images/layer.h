/* SPDX-License-Identifier: Apache-2.0 */
/*
 * layer.h - unpack the tar of one layer into a directory that overlay can use as it is
 */
#ifndef SB_IMAGES_LAYER_H
#define SB_IMAGES_LAYER_H

#include <stdint.h>

#include "images/limits.h"
#include "images/tree.h"

struct sb_err;
struct sb_layer_record;
struct sb_source;

int sb_layer_unpack(int layer_dirfd, struct sb_source *tar_stream,
		    const struct sb_layer_limits *limits, const struct sb_layer_hooks *hooks,
		    struct sb_layer_record *ret, struct sb_err *err);

#endif /* SB_IMAGES_LAYER_H */
