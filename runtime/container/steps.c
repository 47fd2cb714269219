/* SPDX-License-Identifier: Apache-2.0 */
/* steps.c - bring-up as data: do in order, undo in reverse */
#include "runtime/container/steps.h"

#include "runtime/base/err.h"
#include "runtime/base/log.h"
#include "runtime/base/sys.h"

/**
 * sb_steps_down() - Undo steps, last one first
 * @steps:	table
 * @n:		how many of them are up
 * @ctx:	handed to every step
 */
void sb_steps_down(const struct sb_step *steps, size_t n, void *ctx)
{
	while (n-- > 0) {
		uint64_t start = sb_now_us();

		if (!steps[n].down)
			continue;
		steps[n].down(ctx);
		sb_debug("%6ju us down %s", (uintmax_t)(sb_now_us() - start), steps[n].name);
	}
}

/**
 * sb_steps_up() - Do all steps in order; if one fails, undo it and those before it
 * @steps:	table
 * @n:		its length
 * @ctx:	handed to every step
 *
 * Return: 0, or the negative errno value of the step that failed, whose own message @err carries
 */
int sb_steps_up(const struct sb_step *steps, size_t n, void *ctx, struct sb_err *err)
{
	for (size_t i = 0; i < n; i++) {
		uint64_t start = sb_now_us();

		if (steps[i].up && steps[i].up(ctx, err) < 0) {
			sb_steps_down(steps, i + 1, ctx);
			return -err->code;
		}
		sb_debug("%6ju us up   %s", (uintmax_t)(sb_now_us() - start), steps[i].name);
	}
	return 0;
}
