/* SPDX-License-Identifier: Apache-2.0 */
/*
 * steps.h - bring-up as data: do in order, undo in reverse
 */
#ifndef SB_CONTAINER_STEPS_H
#define SB_CONTAINER_STEPS_H

#include <stddef.h>

struct sb_err;

/**
 * struct sb_step - one reversible part of bringing something up
 * @name:	for messages and timing: "cgroup", "network"
 * @up:		makes it so; on failure leaves nothing of its own behind; NULL if there is nothing
 *to do
 * @down:	takes it away again; also when nothing or only a part is there; NULL if there is
 *nothing to take away
 */
struct sb_step {
	const char *name;
	int (*up)(void *ctx, struct sb_err *err);
	void (*down)(void *ctx);
};

int sb_steps_up(const struct sb_step *steps, size_t n, void *ctx, struct sb_err *err);
void sb_steps_down(const struct sb_step *steps, size_t n, void *ctx);

#endif /* SB_CONTAINER_STEPS_H */
