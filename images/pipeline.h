/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pipeline.h - one layer blob to one verified directory, by three threads
 */
#ifndef SB_IMAGES_PIPELINE_H
#define SB_IMAGES_PIPELINE_H

#include <stdatomic.h>

struct sb_err;
struct sb_layer_hooks;
struct sb_layer_limits;
struct sb_layer_record;
struct sb_span;

/**
 * struct sb_pipeline_job - a layer and what it must turn out to be
 * @blob:	where its bytes lie, or are just arriving; borrowed
 * @digest:	digest of the blob; "" if nothing vouches for it but @diff_id
 * @diff_id:	digest of the uncompressed tar
 * @layer_dirfd:	empty directory to be filled, borrowed
 * @split_fd:	empty file for its record, borrowed; see struct sb_layer_job
 * @limits:	bounds
 * @hooks:	for the unpacker
 * @cancel:	set by others when the work has become useless
 */
struct sb_pipeline_job {
	const struct sb_span *blob;
	const char *digest;
	const char *diff_id;
	int layer_dirfd;
	int split_fd;
	const struct sb_layer_limits *limits;
	const struct sb_layer_hooks *hooks;
	const atomic_bool *cancel;
};

int sb_pipeline_run(const struct sb_pipeline_job *job, struct sb_layer_record *ret,
		    struct sb_err *err);

#endif /* SB_IMAGES_PIPELINE_H */
