/* SPDX-License-Identifier: Apache-2.0 */
/* unpack.c - the layers that a load has to unpack, and their unpacking in parallel */
#include "images/unpack.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "images/bundle.h"
#include "images/manifest.h"
#include "images/pipeline.h"
#include "images/tree.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"

#define WORKERS_MAX 4 /* each has three threads and 4 MiB of buffers */

/* What the workers share. */
struct crew {
	struct sb_unpack_plan *plan;
	const struct sb_unpack *job;
	atomic_size_t next;
	atomic_bool failed;
	pthread_mutex_t lock; /* for @err */
	struct sb_err err;
};

static int by_size(const void *a, const void *b)
{
	const struct sb_unpack_layer *x = a, *y = b;

	return (x->size < y->size) - (x->size > y->size);
}

/**
 * sb_unpack_plan_find() - Look a layer up
 * @plan:	plan
 * @diff_id:	digest of its tar
 *
 * Return: borrowed from @plan, or NULL
 */
const struct sb_unpack_layer *sb_unpack_plan_find(const struct sb_unpack_plan *plan,
						  const char *diff_id)
{
	for (size_t i = 0; i < plan->n; i++)
		if (!strcmp(plan->v[i].layer->diff_id, diff_id))
			return &plan->v[i];
	return NULL;
}

/* Plan one layer: is it stored, and if not, is its blob there and as long as it should be?
 * Return: 1, 0: it is left out, or < 0 */
static int plan_layer(const struct sb_incoming_layer *layer, const struct sb_unpack *job,
		      struct sb_unpack_layer *l, struct sb_err *err)
{
	struct sb_span span;

	*l = (struct sb_unpack_layer){ .layer = layer };
	sb_digest_file_name(layer->diff_id, l->name);
	l->stored = faccessat(job->stored_dirfd, l->name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
	if (l->stored && job->layers_only)
		return 0;
	if (l->stored)
		return sb_store_read_record(job->stored_dirfd, l->name, &l->record, err) < 0
			       ? -err->code
			       : 1;
	l->size = layer->data_len;
	if (layer->data)
		return 1;
	if (sb_bundle_find(job->bundle, layer->file, &span, err) < 0) {
		if (job->layers_only && err->code == ENOENT)
			return 0;
		return sb_err_prefix(err, "layer %.19s", layer->diff_id);
	}
	l->size = span.size;
	sb_span_done(&span);
	if (layer->size != SB_LAYER_SIZE_ANY && layer->size != l->size)
		return sb_err_refuse(err, EPROTO, "layer %.19s has %llu bytes, not %llu",
				     layer->digest, (unsigned long long)l->size,
				     (unsigned long long)layer->size);
	return 1;
}

/**
 * sb_unpack_plan_make() - List the layers of all images and see which are missing
 * @images:	images; must outlive the plan
 * @job:	from where to where
 * @ret:	released with sb_unpack_plan_done(); written on success only
 *
 * Return: 0, or a negative errno value
 */
int sb_unpack_plan_make(const struct sb_incoming_list *images, const struct sb_unpack *job,
			struct sb_unpack_plan *ret, struct sb_err *err)
{
	struct sb_unpack_plan plan = SB_UNPACK_PLAN_INIT;
	size_t n = 0;

	for (size_t i = 0; i < images->n; i++)
		n += images->v[i].n_layers;
	plan.v = calloc(n + 1, sizeof(*plan.v));
	if (!plan.v)
		return sb_err_set(err, ENOMEM, "plan the layers");
	for (size_t i = 0; i < images->n; i++) {
		for (size_t k = 0; k < images->v[i].n_layers; k++) {
			const struct sb_incoming_layer *layer = &images->v[i].layers[k];
			int r = sb_unpack_plan_find(&plan, layer->diff_id)
					? 0
					: plan_layer(layer, job, &plan.v[plan.n], err);

			if (r < 0) {
				sb_unpack_plan_done(&plan);
				return r;
			}
			plan.n += (size_t)r;
		}
	}
	qsort(plan.v, plan.n, sizeof(*plan.v), by_size);
	*ret = plan;
	return 0;
}

/**
 * sb_unpack_plan_done() - Free a plan; it is empty afterwards
 * @plan:	plan
 */
void sb_unpack_plan_done(struct sb_unpack_plan *plan)
{
	free(plan->v);
	*plan = (struct sb_unpack_plan)SB_UNPACK_PLAN_INIT;
}

/* A layer whose bytes came with its descriptor, as a file. */
static int open_data(const struct sb_incoming_layer *layer, struct sb_span *ret, struct sb_err *err)
{
	int fd = sb_open_bytes("layer", layer->data, layer->data_len, err);

	if (fd < 0)
		return fd;
	*ret = (struct sb_span){ .fd = fd, .owned = true, .size = layer->data_len };
	return 0;
}

static int unpack_one(struct crew *crew, struct sb_unpack_layer *l, struct sb_err *err)
{
	const struct sb_unpack *to = crew->job;
	_cleanup_fd_ int fd = -1, split = -1;
	char split_name[SB_STORE_NAME_SIZE];
	struct sb_pipeline_job job;
	struct sb_span span;
	int r;

	snprintf(split_name, sizeof(split_name), "%s" SB_STORE_SPLIT_SUFFIX, l->name);
	split = openat(to->dirfd, split_name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
		       0600);
	if (split < 0)
		return sb_err_set(err, errno, "create the record of a layer");
	if (mkdirat(to->dirfd, l->name, 0700) < 0)
		return sb_err_set(err, errno, "make a layer directory");
	fd = openat(to->dirfd, l->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return sb_err_set(err, errno, "open a layer directory");
	r = l->layer->data ? open_data(l->layer, &span, err)
			   : sb_bundle_find(to->bundle, l->layer->file, &span, err);
	if (r < 0)
		return r;
	job = (struct sb_pipeline_job){ .blob = &span,
					.digest = l->layer->digest,
					.diff_id = l->layer->diff_id,
					.layer_dirfd = fd,
					.split_fd = split,
					.limits = to->limits,
					.hooks = to->hooks,
					.cancel = &crew->failed };
	r = sb_pipeline_run(&job, &l->record, err);
	sb_span_done(&span);
	/* 12 hex digits, as docker abbreviates, of what users see: the blob, if that has a digest.
	 */
	if (r < 0)
		return sb_err_prefix(err, "layer %.19s",
				     l->layer->digest[0] ? l->layer->digest : l->layer->diff_id);
	if (sb_store_write_record(to->dirfd, l->name, &l->record, err) < 0)
		return -err->code;
	if (to->hooks && to->hooks->unpacked)
		to->hooks->unpacked(to->hooks->ctx, l->layer->diff_id);
	return 0;
}

static void *worker(void *arg)
{
	struct crew *crew = arg;

	while (!atomic_load(&crew->failed)) {
		size_t i = atomic_fetch_add(&crew->next, 1);
		struct sb_err err = SB_ERR_INIT;

		if (i >= crew->plan->n)
			break;
		if (crew->plan->v[i].stored || unpack_one(crew, &crew->plan->v[i], &err) == 0)
			continue;
		pthread_mutex_lock(&crew->lock);
		if (!atomic_exchange(&crew->failed, true))
			crew->err = err;
		pthread_mutex_unlock(&crew->lock);
		sb_bundle_cancel(crew->job->bundle);
	}
	return NULL;
}

/* As many as there are CPUs for us: measured, more don't help (pipeline.c). */
static size_t count_workers(const struct sb_unpack_plan *plan)
{
	size_t missing = 0, n = 1;
	cpu_set_t cpus;

	for (size_t i = 0; i < plan->n; i++)
		missing += !plan->v[i].stored;
	if (sched_getaffinity(0, sizeof(cpus), &cpus) == 0)
		n = (size_t)CPU_COUNT(&cpus);
	n = n < WORKERS_MAX ? n : WORKERS_MAX;
	return n < missing ? n : missing;
}

/**
 * sb_unpack_run() - Unpack and verify the layers that are missing
 * @plan:	plan; gets the records
 * @job:	from where to where
 *
 * On failure some layers are there in whole or in part, all below @job->dirfd.
 *
 * Return: 0, or a negative errno value: the first failure
 */
int sb_unpack_run(struct sb_unpack_plan *plan, const struct sb_unpack *job, struct sb_err *err)
{
	struct crew crew = { .plan = plan, .job = job, .lock = PTHREAD_MUTEX_INITIALIZER };
	size_t n = count_workers(plan);
	pthread_t threads[WORKERS_MAX];
	size_t started = 0;

	/* This thread is a worker too; if others can't be started it does all the work. */
	while (started + 1 < n && pthread_create(&threads[started], NULL, worker, &crew) == 0)
		started++;
	if (n > 0)
		(void)worker(&crew);
	while (started > 0)
		pthread_join(threads[--started], NULL);
	if (!atomic_load(&crew.failed))
		return 0;
	*err = crew.err;
	return -err->code;
}
