/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pipeline.c - one layer blob to one verified directory, by three threads
 *
 *   thread 1: read, hash of the compressed bytes, decode   --ring-->
 *   thread 2: hash of the tar
 *   thread 3: parse the tar, write files
 *
 * Measured: decoding and hashing take about as long as each other, writing a little less, and as
 * many layers at once as there are cores is all that helps. The hash has a thread of its own
 * because one layer often holds most of an image: its slowest thread is what a pull waits for. A
 * plain tar is hashed once: its blob digest is its diff_id.
 */
#include "images/pipeline.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "images/decoder.h"
#include "images/digest.h"
#include "images/hash.h"
#include "images/layer.h"
#include "images/limits.h"
#include "images/ring.h"
#include "images/source.h"
#include "images/store.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/err.h"

#define READ_BYTES (128 << 10)

/* What the threads share; @hash is thread 2's until that has ended. */
struct pipeline {
	const struct sb_pipeline_job *job;
	struct sb_ring ring;
	struct sb_hash hash;
	struct sb_err producer_err;
	int producer_result;
};

/* The other end of the ring, as the stream that the unpacker pulls. */
struct ring_source {
	struct sb_source base;
	struct sb_ring *ring;
	bool holds_slot;
};

static ssize_t ring_next(struct sb_source *base, const uint8_t **ret, struct sb_err *err)
{
	struct ring_source *s = (struct ring_source *)base;
	bool aborted;
	size_t len;

	if (s->holds_slot)
		sb_ring_end_empty(s->ring, SB_RING_UNPACK);
	*ret = sb_ring_begin_empty(s->ring, SB_RING_UNPACK, &len, &aborted);
	s->holds_slot = *ret != NULL;
	if (aborted)
		return sb_err_set(err, ECANCELED, "unpack");
	return *ret ? (ssize_t)len : 0;
}

/* @tar_bytes have come of @blob_bytes: how long the blob is said to be is no excuse for more. */
static int check_size(const struct sb_layer_limits *l, uint64_t tar_bytes, uint64_t blob_bytes,
		      struct sb_err *err)
{
	if (tar_bytes > l->tar_bytes) {
		sb_err_refuse(err, EPROTO, "unpacks to more than %llu bytes",
			      (unsigned long long)l->tar_bytes);
		return sb_err_hint(err, SB_LAYER_LIMIT_HINT, "tarBytes");
	}
	if (tar_bytes > l->ratio_free_bytes && tar_bytes / l->ratio > blob_bytes) {
		sb_err_refuse(err, EPROTO, "unpacks to more than %llu times its size",
			      (unsigned long long)l->ratio);
		return sb_err_hint(err, SB_LAYER_LIMIT_HINT, "ratio");
	}
	return 0;
}

/* Fill the ring from @from, through @z if that is not NULL. */
static int produce(struct pipeline *p, struct sb_file_source *from, struct sb_decoder *z,
		   struct sb_err *err)
{
	uint64_t total = 0;

	for (;;) {
		uint8_t *slot = sb_ring_begin_fill(&p->ring);
		ssize_t n;

		if (!slot || atomic_load(p->job->cancel))
			return sb_err_set(err, ECANCELED, "unpack");
		n = z ? sb_decoder_read(z, slot, SB_RING_SLOT_BYTES, err)
		      : sb_source_read_file(from, slot, SB_RING_SLOT_BYTES, err);
		if (n <= 0)
			return (int)n;
		total += (uint64_t)n;
		if (check_size(p->job->limits, total,
			       (uint64_t)(from->offset - p->job->blob->offset), err) < 0)
			return -err->code;
		sb_ring_end_fill(&p->ring, (size_t)n);
	}
}

static int expect_digest(struct sb_hash *hash, const char *want, const char *of, struct sb_err *err)
{
	char digest[SB_DIGEST_SIZE];

	if (sb_hash_final(hash, digest, err) < 0)
		return -err->code;
	if (strcmp(digest, want) != 0)
		return sb_err_refuse(err, EPROTO, "the %s has digest %s, not %s", of, digest, want);
	return 0;
}

static int produce_decoded(struct pipeline *p, struct sb_file_source *from, enum sb_format format,
			   struct sb_err *err)
{
	_cleanup_free_ uint8_t *buf = malloc(READ_BYTES);
	struct sb_hash hash = SB_HASH_INIT;
	struct sb_decoder *z = NULL;
	int r = -ENOMEM;

	if (!buf)
		return sb_err_set(err, ENOMEM, "read a layer");
	if (sb_hash_init(&hash, err) < 0)
		return -err->code;
	from->buf = buf;
	from->buf_size = READ_BYTES;
	from->hash = &hash;
	z = sb_decoder_new(format, &from->base, err);
	if (z)
		r = produce(p, from, z, err);
	if (r == 0 && p->job->digest[0])
		r = expect_digest(&hash, p->job->digest, "blob", err);
	sb_decoder_free(z);
	sb_hash_done(&hash);
	return r;
}

static int produce_plain(struct pipeline *p, struct sb_file_source *from, struct sb_err *err)
{
	const struct sb_pipeline_job *job = p->job;

	if (job->digest[0] && strcmp(job->digest, job->diff_id) != 0)
		return sb_err_refuse(err, EPROTO,
				     "not compressed, so its digest must be its diff_id");
	return produce(p, from, NULL, err);
}

static void *producer(void *arg)
{
	struct pipeline *p = arg;
	enum sb_format format = SB_FORMAT_PLAIN;
	struct sb_err *err = &p->producer_err;
	struct sb_file_source from;
	int r;

	sb_source_from_span(&from, p->job->blob);
	r = sb_decoder_sniff(&from, &format, err);
	if (r == 0)
		r = format == SB_FORMAT_PLAIN ? produce_plain(p, &from, err)
					      : produce_decoded(p, &from, format, err);
	p->producer_result = r;
	if (p->producer_result < 0)
		sb_ring_abort(&p->ring);
	else
		sb_ring_close(&p->ring);
	return NULL;
}

static void *hasher(void *arg)
{
	struct pipeline *p = arg;
	const uint8_t *data;
	bool aborted;
	size_t len;

	while ((data = sb_ring_begin_empty(&p->ring, SB_RING_HASH, &len, &aborted))) {
		sb_hash_update(&p->hash, data, len);
		sb_ring_end_empty(&p->ring, SB_RING_HASH);
	}
	return NULL;
}

static int consume(struct pipeline *p, struct sb_layer_record *ret, struct sb_err *err)
{
	struct ring_source from = { .base.next = ring_next, .ring = &p->ring };
	const struct sb_layer_job job = { .dirfd = p->job->layer_dirfd,
					  .tar = &from.base,
					  .limits = p->job->limits,
					  .hooks = p->job->hooks,
					  .split_fd = p->job->split_fd };
	int r = sb_layer_unpack(&job, ret, err);

	if (r < 0)
		sb_ring_abort(&p->ring);
	return r;
}

/* Run the three threads, of which this is the last. */
static int run(struct pipeline *p, struct sb_layer_record *ret, struct sb_err *err)
{
	pthread_t first, second;
	int r = pthread_create(&first, NULL, producer, p);

	if (r != 0)
		return sb_err_set(err, r, "start a thread");
	r = pthread_create(&second, NULL, hasher, p);
	if (r != 0) {
		sb_ring_abort(&p->ring);
		r = sb_err_set(err, r, "start a thread");
	} else {
		r = consume(p, ret, err);
		pthread_join(second, NULL);
	}
	pthread_join(first, NULL);
	return r;
}

/**
 * sb_pipeline_run() - Unpack a layer and verify it
 * @job:	what, where to, and what must come out
 * @ret:	sizes; written on success only
 *
 * Starts two threads, which have ended when this returns. Capabilities: see sb_layer_unpack(). On
 * failure the directory holds a part, which the caller removes.
 *
 * Return: 0, or a negative errno value (-EPROTO: broken, hostile, or not what @job says;
 * -ECANCELED: @job->cancel was set)
 */
int sb_pipeline_run(const struct sb_pipeline_job *job, struct sb_layer_record *ret,
		    struct sb_err *err)
{
	struct pipeline p = { .job = job, .hash = SB_HASH_INIT };
	struct sb_layer_record record;
	int r;

	if (sb_hash_init(&p.hash, err) < 0)
		return -err->code;
	if (sb_ring_init(&p.ring, err) < 0) {
		sb_hash_done(&p.hash);
		return -err->code;
	}
	r = run(&p, &record, err);
	/* If the first stage failed of itself, the others only saw the ring break. */
	if (r == -ECANCELED && p.producer_result < 0) {
		*err = p.producer_err;
		r = p.producer_result;
	}
	if (r == 0)
		r = expect_digest(&p.hash, job->diff_id, "uncompressed layer", err);
	if (r == 0)
		*ret = record;
	sb_ring_done(&p.ring);
	sb_hash_done(&p.hash);
	return r;
}
