/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lockdown.h - Landlock and seccomp for the two processes that meet strangers' bytes
 */
#ifndef SB_IMAGES_LOCKDOWN_H
#define SB_IMAGES_LOCKDOWN_H

#include <stdbool.h>
#include <stddef.h>

struct sb_err;

/**
 * struct sb_lockdown_dir - a directory that stays in reach, with all below it
 * @fd:		its descriptor, O_PATH is enough; borrowed. -1: this row does not count
 * @writable:	files may be made, changed and removed, not only read
 */
struct sb_lockdown_dir {
	int fd;
	bool writable;
};

enum sb_lockdown_role {
	SB_LOCKDOWN_UNPACKER, /* only what unpacking takes: all else kills the process */
	SB_LOCKDOWN_FETCHER,  /* anything but new programs, tracing and ways to more power */
};

int sb_lockdown_files(const struct sb_lockdown_dir *dirs, size_t n, struct sb_err *err);
int sb_lockdown_calls(enum sb_lockdown_role role, struct sb_err *err);

#endif /* SB_IMAGES_LOCKDOWN_H */
