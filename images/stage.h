/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stage.h - the place in the store where one load works before it commits
 */
#ifndef SB_IMAGES_STAGE_H
#define SB_IMAGES_STAGE_H

#include <stdbool.h>

struct sb_err;
struct sb_tally;

#define SB_STAGE_NAME_SIZE 64

/**
 * struct sb_stage - a directory tmp/load-<pid>-<n>/ of our own
 * @tmp_dirfd:	tmp/ of the store, owned
 * @dirfd:	the directory, owned and locked: flock(2) tells others that we live
 * @name:	its name
 */
struct sb_stage {
	int tmp_dirfd;
	int dirfd;
	char name[SB_STAGE_NAME_SIZE];
};

#define SB_STAGE_INIT                         \
	{                                     \
		.tmp_dirfd = -1, .dirfd = -1, \
	}

int sb_stage_create(int store_dirfd, struct sb_stage *ret, struct sb_err *err);
void sb_stage_destroy(struct sb_stage *stage);
int sb_stage_sweep(int store_dirfd, bool dry, struct sb_tally *tally, struct sb_err *err);

#endif /* SB_IMAGES_STAGE_H */
