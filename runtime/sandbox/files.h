/* SPDX-License-Identifier: Apache-2.0 */
/*
 * files.h - a sandbox's files, from the host side
 */
#ifndef SB_SANDBOX_FILES_H
#define SB_SANDBOX_FILES_H

#include <stdint.h>

struct sb_err;
struct sb_home;
struct sb_record;

int sb_files_write(const struct sb_home *home, const struct sb_record *rec, const char *path,
		   int from_fd, uint64_t *ret_bytes, struct sb_err *err);
int sb_files_read(const struct sb_home *home, const struct sb_record *rec, const char *path,
		  int to_fd, uint64_t max, struct sb_err *err);
int sb_files_absolute(const struct sb_record *rec, const char *path, char *buf, unsigned int size,
		      struct sb_err *err);

#endif /* SB_SANDBOX_FILES_H */
