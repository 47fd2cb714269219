/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ring.h - buffers that one thread fills and others read
 */
#ifndef SB_IMAGES_RING_H
#define SB_IMAGES_RING_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sb_err;

/* Measured: smaller or fewer buffers make the stages wait for each other, larger ones leave the
 * CPU's cache. 4 MiB a layer. */
#define SB_RING_SLOTS      16
#define SB_RING_SLOT_BYTES (256 << 10)

enum sb_ring_reader { /* each reads every buffer */
		      SB_RING_HASH,
		      SB_RING_UNPACK,
		      SB_RING_READERS,
};

/**
 * struct sb_ring - a bounded queue of buffers
 * @lock:	protects the rest
 * @changed:	signalled whenever it changes
 * @memory:	SB_RING_SLOTS buffers, owned
 * @len:	bytes in each
 * @filled:	buffers filled since the start
 * @emptied:	buffers that each reader has given back since the start
 * @closed:	nothing more will be filled
 * @aborted:	one side has failed; the others are to stop
 */
struct sb_ring {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	uint8_t *memory;
	size_t len[SB_RING_SLOTS];
	unsigned int filled;
	unsigned int emptied[SB_RING_READERS];
	bool closed;
	bool aborted;
};

int sb_ring_init(struct sb_ring *ring, struct sb_err *err);
void sb_ring_done(struct sb_ring *ring);
uint8_t *sb_ring_begin_fill(struct sb_ring *ring);
void sb_ring_end_fill(struct sb_ring *ring, size_t len);
void sb_ring_close(struct sb_ring *ring);
void sb_ring_abort(struct sb_ring *ring);
const uint8_t *sb_ring_begin_empty(struct sb_ring *ring, enum sb_ring_reader reader,
				   size_t *ret_len, bool *ret_aborted);
void sb_ring_end_empty(struct sb_ring *ring, enum sb_ring_reader reader);

#endif /* SB_IMAGES_RING_H */
