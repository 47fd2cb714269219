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

/**
 * struct sb_layer_job - a layer to be unpacked; everything is borrowed
 * @dirfd:	empty directory. Its own mode will be 0755 unless the archive says otherwise
 * @tar:	the uncompressed tar, pulled to its very end
 * @limits:	bounds
 * @hooks:	may be NULL, see there
 * @split_fd:	empty file that gets what is needed to make the tar again (split.h); -1: not wanted
 */
struct sb_layer_job {
	int dirfd;
	struct sb_source *tar;
	const struct sb_layer_limits *limits;
	const struct sb_layer_hooks *hooks;
	int split_fd;
};

int sb_layer_unpack(const struct sb_layer_job *job, struct sb_layer_record *ret,
		    struct sb_err *err);

#endif /* SB_IMAGES_LAYER_H */
