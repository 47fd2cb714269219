/* SPDX-License-Identifier: Apache-2.0 */
/*
 * disk.h - how much space things in the store take
 */
#ifndef SB_IMAGES_DISK_H
#define SB_IMAGES_DISK_H

#include <stdint.h>

/**
 * struct sb_tally - things of one kind
 * @n:		how many
 * @bytes:	space they take
 */
struct sb_tally {
	unsigned int n;
	uint64_t bytes;
};

uint64_t sb_disk_bytes(int dirfd, const char *name);
uint64_t sb_disk_file_bytes(int dirfd, const char *name);
uint64_t sb_disk_layer_bytes(int store_dirfd, const char *layer);
void sb_tally_add(struct sb_tally *tally, uint64_t bytes);
void sb_tally_subtract(struct sb_tally *tally, const struct sb_tally *part);

#endif /* SB_IMAGES_DISK_H */
