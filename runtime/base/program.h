/* SPDX-License-Identifier: Apache-2.0 */
/*
 * program.h - where our other programs are
 */
#ifndef SB_BASE_PROGRAM_H
#define SB_BASE_PROGRAM_H

#include <stddef.h>

struct sb_err;

int sb_program_find(const char *name, char *ret_path, size_t size, struct sb_err *err);

#endif /* SB_BASE_PROGRAM_H */
