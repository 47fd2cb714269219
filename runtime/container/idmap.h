/* SPDX-License-Identifier: Apache-2.0 */
/*
 * idmap.h - the user namespace that makes root inside nobody outside
 */
#ifndef SB_CONTAINER_IDMAP_H
#define SB_CONTAINER_IDMAP_H

#include <sys/types.h>

struct sb_err;

#define SB_IDMAP_SIZE 65536 /* ids of one container: what Linux distributions give one user */

int sb_idmap_create(uid_t base, pid_t *ret_helper, struct sb_err *err);

#endif /* SB_CONTAINER_IDMAP_H */
