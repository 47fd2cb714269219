/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pipeline.c - one layer blob to one verified directory, by two threads
 *
 *   thread 1: read, hash of the compressed bytes, decode   --ring-->
 *   thread 2: hash of the tar, parse it, write files
 *
 * Measured: both halves take about the same time, so two threads a layer and as many layers at once
 * as there are cores is all that helps. A plain tar is hashed once: its blob digest is its diff_id.
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

/* What the two threads share. */
struct pipeline {
	const struct sb_pipeline_job *job;
	struct sb_ring ring;
	struct sb_err producer_err;
	int producer_result;
};

/* The other end of the ring, as the stream that the unpacker pulls. */
struct ring_source {
	struct sb_source base;
	struct sb_ring *ring;
	struct sb_hash *hash;
	bool holds_slot;
};

static ssize_t ring_next(struct sb_source *base, const uint8_t **ret, struct sb_err *err)
{
	struct ring_source *s = (struct ring_source *)base;
	bool aborted;
	size_t len;

	if (s->holds_slot)
		sb_ring_end_empty(s->ring);
	*ret = sb_ring_begin_empty(s->ring, &len, &aborted);
	s->holds_slot = *ret != NULL;
	if (aborted)
		return sb_err_set(err, ECANCELED, "unpack");
	if (!*ret)
		return 0;
	sb_hash_update(s->hash, *ret, len);
	return (ssize_t)len;
}

static int check_size(const struct sb_pipeline_job *job, uint64_t tar_bytes, struct sb_err *err)
{
	const struct sb_layer_limits *l = job->limits;

	if (tar_bytes > l->tar_bytes)
		return sb_err_refuse(err, EPROTO, "unpacks to more than %llu bytes",
				     (unsigned long long)l->tar_bytes);
	if (tar_bytes > l->ratio_free_bytes && tar_bytes / l->ratio > job->blob->size)
		return sb_err_refuse(err, EPROTO, "unpacks to more than %llu times its size",
				     (unsigned long long)l->ratio);
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
		if (check_size(p->job, total, err) < 0)
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

/* Thread 2; @hash gets the tar. */
static int consume(struct pipeline *p, struct sb_hash *hash, struct sb_layer_record *ret,
		   struct sb_err *err)
{
	struct ring_source from = { .base.next = ring_next, .ring = &p->ring, .hash = hash };
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

/**
 * sb_pipeline_run() - Unpack a layer and verify it
 * @job:	what, where to, and what must come out
 * @ret:	sizes; written on success only
 *
 * Starts one thread, which has ended when this returns. Capabilities: see sb_layer_unpack(). On
 * failure the directory holds a part, which the caller removes.
 *
 * Return: 0, or a negative errno value (-EPROTO: broken, hostile, or not what @job says;
 * -ECANCELED: @job->cancel was set)
 */
int sb_pipeline_run(const struct sb_pipeline_job *job, struct sb_layer_record *ret,
		    struct sb_err *err)
{
	struct pipeline p = { .job = job };
	struct sb_hash hash = SB_HASH_INIT;
	struct sb_layer_record record;
	pthread_t thread;
	int r;

	if (sb_hash_init(&hash, err) < 0)
		return -err->code;
	if (sb_ring_init(&p.ring, err) < 0) {
		sb_hash_done(&hash);
		return -err->code;
	}
	r = pthread_create(&thread, NULL, producer, &p);
	if (r != 0) {
		r = sb_err_set(err, r, "start a thread");
	} else {
		r = consume(&p, &hash, &record, err);
		pthread_join(thread, NULL);
	}
	/* If the first stage failed of itself, the second only saw the ring break. */
	if (r == -ECANCELED && p.producer_result < 0) {
		*err = p.producer_err;
		r = p.producer_result;
	}
	if (r == 0)
		r = expect_digest(&hash, job->diff_id, "uncompressed layer", err);
	if (r == 0)
		*ret = record;
	sb_ring_done(&p.ring);
	sb_hash_done(&hash);
	return r;
}
