/* SPDX-License-Identifier: Apache-2.0 */
/*
 * unpacker.h - the process that meets hostile archives, and its parent's side of it
 */
#ifndef SB_IMAGES_UNPACKER_H
#define SB_IMAGES_UNPACKER_H

#include "images/load.h"
#include "images/worker.h"
#include "runtime/base/err.h"

/**
 * struct sb_unpacker - a running unpacker
 * @worker:	the process
 * @stage_fd:	its stage, borrowed
 * @unpacked:	diff_id of the layer that the last message said is unpacked; else ""
 * @images:	what it has reported
 * @err:	why it failed; code 0 if it did not say so
 */
struct sb_unpacker {
	struct sb_worker worker;
	int stage_fd;
	char unpacked[SB_DIGEST_SIZE];
	struct sb_loaded_list images;
	struct sb_err err;
};

#define SB_UNPACKER_INIT                                                \
	{                                                               \
		.worker = SB_WORKER_INIT, .images = SB_LOADED_LIST_INIT \
	}

int sb_unpacker_start(const struct sb_load *load, struct sb_unpacker *ret, struct sb_err *err);
int sb_unpacker_serve(struct sb_unpacker *u, struct sb_err *err);
int sb_unpacker_end(struct sb_unpacker *u, struct sb_loaded_list *ret, struct sb_err *err);
void sb_unpacker_kill(struct sb_unpacker *u);

#endif /* SB_IMAGES_UNPACKER_H */
