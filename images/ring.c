/* SPDX-License-Identifier: Apache-2.0 */
/* ring.c - buffers that one thread fills and others read */
#include "images/ring.h"

#include <errno.h>
#include <stdlib.h>

#include "runtime/base/err.h"

/**
 * sb_ring_init() - Make an empty ring
 * @ring:	caller's memory; sb_ring_done() releases what it holds
 *
 * Return: 0 or -ENOMEM
 */
int sb_ring_init(struct sb_ring *ring, struct sb_err *err)
{
	*ring = (struct sb_ring){ .memory = malloc((size_t)SB_RING_SLOTS * SB_RING_SLOT_BYTES) };
	if (!ring->memory)
		return sb_err_set(err, ENOMEM, "make buffers");
	pthread_mutex_init(&ring->lock, NULL);
	pthread_cond_init(&ring->changed, NULL);
	return 0;
}

/**
 * sb_ring_done() - Release a ring that no thread uses any more
 * @ring:	ring
 */
void sb_ring_done(struct sb_ring *ring)
{
	pthread_cond_destroy(&ring->changed);
	pthread_mutex_destroy(&ring->lock);
	free(ring->memory);
	ring->memory = NULL;
}

static uint8_t *slot(struct sb_ring *ring, unsigned int count)
{
	return ring->memory + (size_t)(count % SB_RING_SLOTS) * SB_RING_SLOT_BYTES;
}

/* Buffers that all readers have given back since the start. */
static unsigned int emptied(const struct sb_ring *ring)
{
	unsigned int left = 0;

	for (size_t i = 0; i < SB_RING_READERS; i++)
		if (ring->filled - ring->emptied[i] > left)
			left = ring->filled - ring->emptied[i];
	return ring->filled - left;
}

/**
 * sb_ring_begin_fill() - Wait for a free buffer
 * @ring:	ring
 *
 * Return: SB_RING_SLOT_BYTES bytes to be filled, or NULL if the others have given up
 */
uint8_t *sb_ring_begin_fill(struct sb_ring *ring)
{
	uint8_t *ret;

	pthread_mutex_lock(&ring->lock);
	while (!ring->aborted && ring->filled - emptied(ring) == SB_RING_SLOTS)
		pthread_cond_wait(&ring->changed, &ring->lock);
	ret = ring->aborted ? NULL : slot(ring, ring->filled);
	pthread_mutex_unlock(&ring->lock);
	return ret;
}

/**
 * sb_ring_end_fill() - Hand the buffer of sb_ring_begin_fill() over
 * @ring:	ring
 * @len:	bytes in it, > 0
 */
void sb_ring_end_fill(struct sb_ring *ring, size_t len)
{
	pthread_mutex_lock(&ring->lock);
	ring->len[ring->filled % SB_RING_SLOTS] = len;
	ring->filled++;
	pthread_cond_broadcast(&ring->changed);
	pthread_mutex_unlock(&ring->lock);
}

/**
 * sb_ring_close() - Say that nothing more will be filled
 * @ring:	ring
 */
void sb_ring_close(struct sb_ring *ring)
{
	pthread_mutex_lock(&ring->lock);
	ring->closed = true;
	pthread_cond_broadcast(&ring->changed);
	pthread_mutex_unlock(&ring->lock);
}

/**
 * sb_ring_abort() - Make the others stop, from any side
 * @ring:	ring
 */
void sb_ring_abort(struct sb_ring *ring)
{
	pthread_mutex_lock(&ring->lock);
	ring->aborted = true;
	pthread_cond_broadcast(&ring->changed);
	pthread_mutex_unlock(&ring->lock);
}

/**
 * sb_ring_begin_empty() - Wait for a filled buffer
 * @ring:	ring
 * @reader:	who reads
 * @ret_len:	bytes in it
 * @ret_aborted:	whether NULL means that another side has failed
 *
 * Return: bytes, to be given back by sb_ring_end_empty(), or NULL at the end
 */
const uint8_t *sb_ring_begin_empty(struct sb_ring *ring, enum sb_ring_reader reader,
				   size_t *ret_len, bool *ret_aborted)
{
	const unsigned int *mine = &ring->emptied[reader];
	const uint8_t *ret = NULL;

	pthread_mutex_lock(&ring->lock);
	while (!ring->aborted && !ring->closed && ring->filled == *mine)
		pthread_cond_wait(&ring->changed, &ring->lock);
	*ret_aborted = ring->aborted;
	if (!ring->aborted && ring->filled != *mine) {
		*ret_len = ring->len[*mine % SB_RING_SLOTS];
		ret = slot(ring, *mine);
	}
	pthread_mutex_unlock(&ring->lock);
	return ret;
}

/**
 * sb_ring_end_empty() - Give the buffer of sb_ring_begin_empty() back
 * @ring:	ring
 * @reader:	who has read it
 */
void sb_ring_end_empty(struct sb_ring *ring, enum sb_ring_reader reader)
{
	pthread_mutex_lock(&ring->lock);
	ring->emptied[reader]++;
	pthread_cond_broadcast(&ring->changed);
	pthread_mutex_unlock(&ring->lock);
}
