/* SPDX-License-Identifier: Apache-2.0 */
/*
 * caps.h - what root may do inside a container
 */
#ifndef SB_CONTAINER_CAPS_H
#define SB_CONTAINER_CAPS_H

#include <stdbool.h>

struct sb_err;

int sb_caps_bound(struct sb_err *err);
int sb_caps_apply(bool keep, struct sb_err *err);

#endif /* SB_CONTAINER_CAPS_H */
