/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fetcher.c - the process that talks to registries
 *
 * DOC: Theory of operation
 *
 * The child reads credentials, which no other process of ours ever sees, and confines itself
 * (confine.c). It finds the image, and reports its manifest, config and layers. Then it waits for
 * orders: each names a layer and brings the file it goes to. A few threads fetch at once; how far
 * they are stands in shared memory, where the unpacker sees it. When the parent closes the socket,
 * the child ends.
 *
 * What it reports is a convenience: the unpacker verifies manifest, config and layers as it would
 * those of an archive.
 */
#include "images/fetcher.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "images/confine.h"
#include "images/find.h"
#include "images/hosts.h"
#include "images/transfer.h"
#include "images/wire.h"
#include "images/worker.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/fd.h"

#define THREADS_MAX 4 /* layers at once: docker's and podman's number is 3 to 6 */

/* A layer that is to be fetched; @fd is owned. */
struct order {
	uint32_t number;
	uint64_t have;
	int fd;
};

/* The child. @lock protects what follows it. */
struct fetcher {
	int sock;
	const struct sb_fetch *job;
	struct sb_registry *registry;
	struct sb_found found;
	pthread_mutex_t lock;
	pthread_cond_t ordered;
	struct order orders[SB_IMAGE_LAYERS_MAX];
	size_t n_orders;
	size_t next;
	size_t idle;
	size_t n_threads;
};

static void send_err(struct fetcher *f, enum sb_wire_type type, const struct sb_err *err)
{
	const struct sb_wire msg = { .type = type, .err = *err };

	/* If the parent is gone, we die with it. */
	(void)sb_wire_send(f->sock, &msg, NULL, 0);
}

static void send_notice(void *ctx, const char *text)
{
	struct sb_err err = SB_ERR_INIT;

	(void)sb_err_refuse(&err, EIO, "%s", text);
	send_err(ctx, SB_WIRE_NOTICE, &err);
}

static void tell_progress(void *ctx, uint64_t have)
{
	sb_transfer_advance(ctx, have);
}

static void fetch_layer(struct fetcher *f, const struct order *order)
{
	const struct sb_incoming_layer *layer = &f->found.image.layers[order->number];
	struct sb_transfer *transfer = &f->job->transfers[order->number];
	const struct sb_registry_blob blob = { .digest = layer->digest,
					       .size = layer->size,
					       .fd = order->fd,
					       .have = order->have,
					       .progress = tell_progress,
					       .ctx = transfer };
	struct sb_err err = SB_ERR_INIT;

	if (sb_registry_get_blob(f->registry, &blob, &err) == 0) {
		const struct sb_wire done = { .type = SB_WIRE_FETCHED, .number = order->number };

		sb_transfer_end(transfer, SB_TRANSFER_COMPLETE);
		(void)sb_wire_send(f->sock, &done, NULL, 0);
		return;
	}
	/* The reason first: once the unpacker is told that no more will come, it ends. */
	(void)sb_err_prefix(&err, "layer %.19s", layer->digest);
	send_err(f, SB_WIRE_FAILED, &err);
	sb_transfer_end(transfer, SB_TRANSFER_FAILED);
}

static void *run_thread(void *arg)
{
	struct fetcher *f = arg;

	for (;;) {
		struct order order;

		pthread_mutex_lock(&f->lock);
		f->idle++;
		while (f->next == f->n_orders)
			pthread_cond_wait(&f->ordered, &f->lock);
		f->idle--;
		order = f->orders[f->next++ % SB_IMAGE_LAYERS_MAX];
		pthread_mutex_unlock(&f->lock);
		fetch_layer(f, &order);
		(void)close(order.fd);
	}
	return NULL;
}

/* Put an order into the queue; takes @fd over. */
static int add_order(struct fetcher *f, const struct sb_wire *msg, int fd, struct sb_err *err)
{
	pthread_t thread;
	bool need_thread;
	int r = 0;

	pthread_mutex_lock(&f->lock);
	f->orders[f->n_orders++ % SB_IMAGE_LAYERS_MAX] =
		(struct order){ .number = msg->number, .have = msg->size, .fd = fd };
	need_thread = f->n_orders - f->next > f->idle && f->n_threads < THREADS_MAX;
	f->n_threads += need_thread;
	pthread_cond_signal(&f->ordered);
	pthread_mutex_unlock(&f->lock);
	if (need_thread)
		r = pthread_create(&thread, NULL, run_thread, f);
	return r != 0 ? sb_err_set(err, r, "start a thread") : 0;
}

/* Do what the parent orders, until it has no more to say. */
static int take_orders(struct fetcher *f, struct sb_err *err)
{
	for (;;) {
		struct sb_wire_fds fds = { .n = 0 };
		struct sb_wire msg;
		int r = sb_wire_recv(f->sock, &msg, &fds, err);

		if (r <= 0)
			return r;
		if (msg.type != SB_WIRE_FETCH || fds.n != 1 ||
		    msg.number >= f->found.image.n_layers) {
			sb_wire_close(&fds);
			return sb_err_refuse(err, EPROTO, "an order that makes no sense");
		}
		if (add_order(f, &msg, fds.v[0], err) < 0)
			return -err->code;
	}
}

/* Hand the indexes over by which the image was found: the unpacker goes the same way. */
static int report_documents(struct fetcher *f, struct sb_err *err)
{
	for (size_t i = 0; i < f->found.n_documents; i++) {
		const struct sb_registry_manifest *d = &f->found.documents[i];
		struct sb_wire msg = { .type = SB_WIRE_DOCUMENT, .size = d->len };
		_cleanup_fd_ int fd = -1;
		int r;

		if (!strcmp(d->digest, f->found.image.digest))
			continue;
		fd = sb_open_bytes("index", d->data, d->len, err);
		if (fd < 0)
			return -err->code;
		memcpy(msg.digest, d->digest, sizeof(msg.digest));
		r = sb_wire_send(f->sock, &msg, &fd, 1);
		if (r < 0)
			return sb_err_set(err, -r, "report the image");
	}
	return 0;
}

/* Tell the parent about manifest, config and layers. */
static int report(struct fetcher *f, struct sb_err *err)
{
	const struct sb_incoming *image = &f->found.image;
	struct sb_wire msg = { .type = SB_WIRE_FOUND, .number = (uint32_t)image->n_layers };
	_cleanup_fd_ int manifest =
		sb_open_bytes("manifest", image->manifest, image->manifest_len, err);
	_cleanup_fd_ int config = -1;
	int fds[2], r;

	if (manifest < 0)
		return -err->code;
	config = sb_open_bytes("config", image->config, image->config_len, err);
	if (config < 0)
		return -err->code;
	fds[0] = manifest;
	fds[1] = config;
	memcpy(msg.image.digest, image->digest, sizeof(msg.image.digest));
	memcpy(msg.image.config_digest, image->config_digest, sizeof(msg.image.config_digest));
	memcpy(msg.digest, f->found.stands_for, sizeof(msg.digest));
	r = sb_wire_send(f->sock, &msg, fds, SB_ARRAY_SIZE(fds));
	for (size_t i = 0; r == 0 && i < image->n_layers; i++) {
		const struct sb_incoming_layer *l = &image->layers[i];

		/* A layer that the manifest itself has needs no fetching. */
		msg = (struct sb_wire){ .type = SB_WIRE_LAYER,
					.code = l->data != NULL,
					.number = (uint32_t)i,
					.size = l->size };
		memcpy(msg.digest, l->digest, sizeof(msg.digest));
		memcpy(msg.diff_id, l->diff_id, sizeof(msg.diff_id));
		r = sb_wire_send(f->sock, &msg, NULL, 0);
	}
	return r < 0 ? sb_err_set(err, -r, "report the image") : 0;
}

static int work(struct fetcher *f, struct sb_err *err)
{
	const struct sb_registry_hooks hooks = { .notice = send_notice, .ctx = f };
	const struct sb_fetch *job = f->job;
	/* Not freed: threads may be at work until the process ends. */
	struct sb_hosts *hosts = sb_hosts_for_image(job->ref, job->settings, err);
	int r;

	if (!hosts || sb_confine_fetcher(err) < 0)
		return -err->code;
	f->registry = sb_registry_new(job->ref, hosts->v, hosts->n, &hooks, err);
	if (!f->registry)
		return -err->code;
	f->found.image.platform = job->platform;
	r = sb_find_image(f->registry, job->ref, job->known, &f->found, err);
	if (r < 0)
		return r;
	if (r > 0) {
		const struct sb_wire msg = { .type = SB_WIRE_CURRENT };

		return sb_wire_send(f->sock, &msg, NULL, 0);
	}
	if (report_documents(f, err) < 0 || report(f, err) < 0)
		return -err->code;
	return take_orders(f, err);
}

static int run(int sock, void *arg)
{
	struct fetcher f = { .sock = sock,
			     .job = arg,
			     .lock = PTHREAD_MUTEX_INITIALIZER,
			     .ordered = PTHREAD_COND_INITIALIZER };
	struct sb_err err = SB_ERR_INIT;
	int r = work(&f, &err);

	if (r < 0)
		send_err(&f, SB_WIRE_FAILED, &err);
	/* Threads may be at work: the process ends with them, and nothing needs to be freed. */
	return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

/**
 * sb_fetcher_start() - Start to fetch in a process of its own
 * @job:	what
 * @ret:	ended with sb_worker_end() or sb_worker_kill(); written on success only
 *
 * Needs root. The caller has a single thread.
 *
 * Return: 0, or a negative errno value
 */
int sb_fetcher_start(const struct sb_fetch *job, struct sb_worker *ret, struct sb_err *err)
{
	const struct sb_worker_job worker = { .name = SB_FETCHER_NAME,
					      .run = run,
					      .arg = (void *)(uintptr_t)job };

	return sb_worker_start(&worker, ret, err);
}
