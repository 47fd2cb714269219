/* SPDX-License-Identifier: Apache-2.0 */
/*
 * partial.h - blobs that are being downloaded, or were before somebody was interrupted
 */
#ifndef SB_IMAGES_PARTIAL_H
#define SB_IMAGES_PARTIAL_H

#include <stdbool.h>
#include <stdint.h>

struct sb_err;

int sb_partial_open(int store_dirfd, struct sb_err *err);
int sb_partial_take(int partial_dirfd, const char *digest, bool wait, int *ret_fd,
		    struct sb_err *err);
int sb_partial_trim(int fd, uint64_t size, uint64_t *ret_have, struct sb_err *err);
void sb_partial_remove(int partial_dirfd, const char *digest);

#endif /* SB_IMAGES_PARTIAL_H */
