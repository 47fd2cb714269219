/* SPDX-License-Identifier: Apache-2.0 */
/*
 * confine.h - what the processes that meet strangers can still reach
 */
#ifndef SB_IMAGES_CONFINE_H
#define SB_IMAGES_CONFINE_H

struct sb_err;

/**
 * struct sb_confined - descriptors that the unpacker keeps; each is replaced by one of a private
 *			view from which ".." leads nowhere
 * @stage_fd:	directory it works in: becomes its root, writable
 * @layers_fd:	directory it looks into: read-only
 * @source_fd:	file, pipe, or directory: read-only; -1 for none
 */
struct sb_confined {
	int stage_fd;
	int layers_fd;
	int source_fd;
};

int sb_confine_unpacker(struct sb_confined *dirs, struct sb_err *err);
int sb_confine_fetcher(struct sb_err *err);

#endif /* SB_IMAGES_CONFINE_H */
