/* SPDX-License-Identifier: Apache-2.0 */
/*
 * transfer.h - how far a download is, in memory that all processes of sbrun-image share
 *
 * The fetcher appends to a file and says so here; the unpacker reads the file meanwhile. Neither
 * believes the other more than that: who is told of bytes that are not there reads a file that ends
 * too early.
 */
#ifndef SB_IMAGES_TRANSFER_H
#define SB_IMAGES_TRANSFER_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "images/digest.h"

struct sb_err;

enum sb_transfer_state {
	SB_TRANSFER_RUNNING,
	SB_TRANSFER_COMPLETE, /* all bytes are in the file */
	SB_TRANSFER_FAILED,   /* no more will come */
};

/**
 * struct sb_transfer - one download; all zero at first
 * @have:	bytes that are in the file, from its start
 * @state:	enum sb_transfer_state
 * @turn:	changes with every change; futex(2)
 */
struct sb_transfer {
	_Atomic uint64_t have;
	_Atomic uint32_t state;
	_Atomic uint32_t turn;
};

/**
 * struct sb_fetched - a blob that comes from a registry
 * @digest:	its digest
 * @fd:		file whose first bytes are the blob; borrowed
 * @size:	bytes it is to have
 * @transfer:	how far the download is, borrowed; NULL if it is complete
 */
struct sb_fetched {
	char digest[SB_DIGEST_SIZE];
	int fd;
	uint64_t size;
	struct sb_transfer *transfer;
};

struct sb_transfer *sb_transfers_new(size_t n, struct sb_err *err);
void sb_transfers_free(struct sb_transfer *transfers, size_t n);
void sb_transfer_advance(struct sb_transfer *transfer, uint64_t have);
void sb_transfer_end(struct sb_transfer *transfer, enum sb_transfer_state state);
int sb_transfer_wait(struct sb_transfer *transfer, uint64_t offset, uint64_t *ret_have);

#endif /* SB_IMAGES_TRANSFER_H */
