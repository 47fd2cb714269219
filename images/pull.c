/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pull.c - an image of a registry into the store
 *
 * DOC: Theory of operation
 *
 * The fetcher finds the image and says which layers it has. Of those that the store lacks, we take
 * the ones that no other process is at (partial.c) and let the fetcher download them while the
 * unpacker reads the growing files; what is verified is published, and given back. Layers that
 * others are at come in a later round: we wait for them only when we hold nothing, so no two pulls
 * ever wait for each other, and by then they are usually in the store. The last round brings the
 * image itself.
 *
 * A partial download that turns out to be wrong at its end may have been damaged while it lay
 * there (a power cut): what was resumed is fetched once more from its start. What is wrong
 * although it came in one piece is refused and dropped.
 */
#include "images/pull.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "images/known.h"
#include "images/partial.h"
#include "images/progress.h"
#include "images/publish.h"
#include "images/transfer.h"
#include "images/unpacker.h"
#include "images/wire.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/log.h"
#include "runtime/base/sys.h"

/**
 * struct layer - a layer of the image
 * @digest:	of its blob
 * @diff_id:	of its tar
 * @size:	bytes of its blob
 * @embedded:	the manifest has its bytes
 * @fd:		its partial download, ours as long as it is open; -1: not ours
 * @have:	bytes of it that were there when we took it
 */
struct layer {
	char digest[SB_DIGEST_SIZE];
	char diff_id[SB_DIGEST_SIZE];
	uint64_t size;
	bool embedded;
	int fd;
	uint64_t have;
};

/**
 * struct pull - a pull at work
 * @job:	what to pull
 * @store:	store and stage
 * @partial_dirfd:	partial/ of the store
 * @fetcher:	process
 * @unpacker:	process
 * @found:	the fetcher's message about the image
 * @blobs:	manifest and config, then the indexes by which they were found; descriptors are
 * owned
 * @n_blobs:	how many, the first two counted from the start
 * @layers:	layers
 * @n:		how many
 * @waiting:	layers that others are at
 * @refused:	the unpacker says that something is wrong with what came
 * @again:	this is the second try
 */
struct pull {
	struct sb_pull *job;
	struct sb_publish store;
	int partial_dirfd;
	struct sb_worker fetcher;
	struct sb_unpacker unpacker;
	struct sb_wire found;
	struct sb_fetched blobs[2 + SB_IMAGE_DOCUMENTS_MAX];
	size_t n_blobs;
	struct layer layers[SB_IMAGE_LAYERS_MAX];
	size_t n;
	size_t waiting;
	bool refused;
	bool again;
};

/* What is unpacked need not be brought to disk any more. */
static void drop_contents(struct pull *p)
{
	for (size_t i = 0; i < p->n; i++)
		if (p->layers[i].fd >= 0 && ftruncate(p->layers[i].fd, 0) < 0)
			continue; /* then it is written out, in vain */
}

static void give_back(struct pull *p, bool remove)
{
	for (size_t i = 0; i < p->n; i++) {
		if (p->layers[i].fd >= 0 && remove)
			sb_partial_remove(p->partial_dirfd, p->layers[i].digest);
		sb_close_fd(&p->layers[i].fd);
	}
}

static void pull_done(struct pull *p)
{
	sb_unpacker_kill(&p->unpacker);
	sb_worker_kill(&p->fetcher);
	give_back(p, false);
	for (size_t i = 0; i < p->n_blobs; i++)
		sb_close_fd(&p->blobs[i].fd);
	sb_close_fd(&p->partial_dirfd);
	sb_publish_end(&p->store);
	sb_transfers_free(p->job->fetch.transfers, SB_IMAGE_LAYERS_MAX);
}

/* Add the layer of a message. */
static int take_layer(struct pull *p, const struct sb_wire *msg, struct sb_err *err)
{
	struct layer *l = &p->layers[p->n];

	if (msg->number != p->n)
		return sb_err_refuse(err, EPROTO, "the " SB_FETCHER_NAME " sends nonsense");
	if (msg->size > p->job->limits->tar_bytes)
		return sb_err_refuse(err, EPROTO, "layer %.19s has more than %llu bytes",
				     msg->digest, (unsigned long long)p->job->limits->tar_bytes);
	*l = (struct layer){ .size = msg->size, .embedded = msg->code != 0, .fd = -1 };
	memcpy(l->digest, msg->digest, sizeof(l->digest));
	memcpy(l->diff_id, msg->diff_id, sizeof(l->diff_id));
	p->n++;
	return sb_progress_add(p->job->progress, l->digest, l->size,
			       &p->job->fetch.transfers[msg->number], err);
}

/* Take over a descriptor from the fetcher: it must not lead the unpacker anywhere, or make it wait.
 */
static int take_blob(struct sb_fetched *ret, const char *digest, struct sb_wire_fds *fds, size_t i,
		     struct sb_err *err)
{
	struct stat st;

	if (fstat(fds->v[i], &st) < 0 || !S_ISREG(st.st_mode))
		return sb_err_refuse(err, EPROTO, "the " SB_FETCHER_NAME " sends nonsense");
	*ret = (struct sb_fetched){ .size = (uint64_t)st.st_size };
	ret->fd = fcntl(fds->v[i], F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	memcpy(ret->digest, digest, sizeof(ret->digest));
	return ret->fd < 0 ? sb_err_set(err, errno, "keep a blob") : 0;
}

/* Take a message about how the image is found. Return: 1, or < 0 */
static int hear_search(struct pull *p, const struct sb_wire *msg, struct sb_wire_fds *fds,
		       struct sb_err *err)
{
	int r = 1;

	if (msg->type == SB_WIRE_CURRENT && p->job->fetch.known[0]) {
		p->found = *msg;
	} else if (msg->type == SB_WIRE_DOCUMENT && fds->n == 1 &&
		   p->n_blobs < SB_ARRAY_SIZE(p->blobs)) {
		r = take_blob(&p->blobs[p->n_blobs], msg->digest, fds, 0, err);
		p->n_blobs += r == 0;
	} else if (msg->type == SB_WIRE_FOUND && fds->n == 2 &&
		   msg->number <= SB_IMAGE_LAYERS_MAX) {
		p->found = *msg;
		r = take_blob(&p->blobs[0], msg->image.digest, fds, 0, err);
		if (r == 0)
			r = take_blob(&p->blobs[1], msg->image.config_digest, fds, 1, err);
	} else {
		r = sb_err_refuse(err, EPROTO, "the " SB_FETCHER_NAME " sends nonsense");
	}
	return r < 0 ? r : 1;
}

/* Take one message of the fetcher. Return: 1, 0 at its end, or < 0 */
static int hear_fetcher(struct pull *p, struct sb_err *err)
{
	struct sb_wire_fds fds = { .n = 0 };
	struct sb_wire msg;
	int r = sb_wire_recv(p->fetcher.sock, &msg, &fds, err);

	if (r <= 0)
		return r;
	if (msg.type == SB_WIRE_NOTICE) {
		sb_progress_note(p->job->progress, msg.err.msg);
	} else if (msg.type == SB_WIRE_FETCHED && msg.number < p->n) {
		sb_progress_set(p->job->progress, msg.number, SB_PROGRESS_UNPACKING);
	} else if (msg.type == SB_WIRE_FAILED) {
		*err = msg.err;
		r = -err->code;
	} else if (msg.type == SB_WIRE_LAYER && p->n < p->found.number) {
		r = take_layer(p, &msg, err) < 0 ? -err->code : 1;
	} else if (!p->found.type) {
		r = hear_search(p, &msg, &fds, err);
	} else {
		r = sb_err_refuse(err, EPROTO, "the " SB_FETCHER_NAME " sends nonsense");
	}
	sb_wire_close(&fds);
	return r;
}

/* It ended without a word. */
static int lost_fetcher(struct pull *p, struct sb_err *err)
{
	int r = sb_worker_end(&p->fetcher, SB_FETCHER_NAME, err);

	return r < 0 ? r : sb_err_set(err, EIO, "the " SB_FETCHER_NAME " ended with code %d", r);
}

/* Wait until the fetcher has found the image. Return: 0, 1: we have it already, or < 0 */
static int find(struct pull *p, struct sb_err *err)
{
	while (p->found.type != SB_WIRE_CURRENT &&
	       (p->found.type != SB_WIRE_FOUND || p->n < p->found.number)) {
		int r = hear_fetcher(p, err);

		if (r <= 0)
			return r < 0 ? r : lost_fetcher(p, err);
	}
	return p->found.type == SB_WIRE_CURRENT;
}

/* Whether a layer before @i has the same blob or the same content: its download serves both. */
static bool has_twin(const struct pull *p, size_t i)
{
	for (size_t k = 0; k < i; k++)
		if (!strcmp(p->layers[k].digest, p->layers[i].digest) ||
		    !strcmp(p->layers[k].diff_id, p->layers[i].diff_id))
			return true;
	return false;
}

static bool is_stored(const struct pull *p, const struct layer *l)
{
	char name[SB_DIGEST_SIZE];

	sb_digest_file_name(l->diff_id, name);
	return faccessat(p->store.layers_dirfd, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

/* Take layer @i if the store lacks it and nobody is at it, or after waiting for that. */
static int take(struct pull *p, size_t i, bool wait, struct sb_err *err)
{
	struct sb_progress *progress = p->job->progress;
	struct layer *l = &p->layers[i];
	int r;

	if (is_stored(p, l)) {
		sb_progress_set(progress, i, SB_PROGRESS_PRESENT);
		return 0;
	}
	if (l->embedded || has_twin(p, i))
		return 0;
	r = sb_partial_take(p->partial_dirfd, l->digest, wait, &l->fd, err);
	if (r == 0) {
		sb_progress_set(progress, i, SB_PROGRESS_WAITING);
		p->waiting++;
	}
	if (r <= 0)
		return r;
	/* It may have been stored between our look and our lock. */
	if (is_stored(p, l)) {
		sb_partial_remove(p->partial_dirfd, l->digest);
		sb_close_fd(&l->fd);
		sb_progress_set(progress, i, SB_PROGRESS_PRESENT);
		return 0;
	}
	return sb_partial_trim(l->fd, l->size, &l->have, err);
}

/* Take what can be taken; if that is nothing, wait for the first one that others are at. */
static int take_layers(struct pull *p, struct sb_err *err)
{
	for (;;) {
		size_t held = 0, first = p->n;

		p->waiting = 0;
		for (size_t i = 0; i < p->n; i++) {
			size_t before = p->waiting;

			if (take(p, i, false, err) < 0)
				return -err->code;
			held += p->layers[i].fd >= 0;
			if (p->waiting > before && first == p->n)
				first = i;
		}
		if (held > 0 || p->waiting == 0)
			return 0;
		if (take(p, first, true, err) < 0)
			return -err->code;
		/* Ours now: there is something to do. Stored by the others: look again. */
		if (p->layers[first].fd >= 0) {
			p->waiting--;
			return 0;
		}
	}
}

/* Let the fetcher go on with the layers we hold. */
static int order(struct pull *p, struct sb_err *err)
{
	for (size_t i = 0; i < p->n; i++) {
		struct layer *l = &p->layers[i];
		struct sb_transfer *t = &p->job->fetch.transfers[i];
		const struct sb_wire msg = { .type = SB_WIRE_FETCH,
					     .number = (uint32_t)i,
					     .size = l->have };
		int r;

		if (l->fd < 0)
			continue;
		sb_transfer_advance(t, l->have);
		if (l->have == l->size) {
			sb_transfer_end(t, SB_TRANSFER_COMPLETE);
			sb_progress_set(p->job->progress, i, SB_PROGRESS_UNPACKING);
			continue;
		}
		sb_progress_set(p->job->progress, i, SB_PROGRESS_DOWNLOADING);
		r = sb_wire_send(p->fetcher.sock, &msg, &l->fd, 1);
		if (r < 0)
			return r == -EPIPE ? lost_fetcher(p, err)
					   : sb_err_set(err, -r, "order a layer");
	}
	return 0;
}

/* Serve both processes until the unpacker is done. */
static int serve(struct pull *p, struct sb_err *err)
{
	struct pollfd fds[2] = { { .fd = p->unpacker.worker.sock, .events = POLLIN },
				 { .fd = p->fetcher.sock, .events = POLLIN } };

	for (;;) {
		int r = 1;

		if (poll(fds, SB_ARRAY_SIZE(fds), sb_progress_tick(p->job->progress)) < 0 &&
		    errno != EINTR)
			return sb_err_set(err, errno, "wait for the " SB_FETCHER_NAME);
		if (fds[1].revents) {
			r = hear_fetcher(p, err);
			if (r <= 0)
				return r < 0 ? r : lost_fetcher(p, err);
		}
		if (fds[0].revents)
			r = sb_unpacker_serve(&p->unpacker, err);
		if (r <= 0)
			return r;
		for (size_t i = 0; p->unpacker.unpacked[0] && i < p->n; i++)
			if (!strcmp(p->layers[i].diff_id, p->unpacker.unpacked))
				sb_progress_set(p->job->progress, i, SB_PROGRESS_DONE);
		p->unpacker.unpacked[0] = '\0';
	}
}

/* Unpack the layers we hold, and the image if none is left to others. */
static int unpack(struct pull *p, struct sb_loaded_list *images, struct sb_err *err)
{
	struct sb_fetched fetched[SB_IMAGE_LAYERS_MAX + SB_ARRAY_SIZE(p->blobs)];
	struct sb_load load = { .stage_dirfd = p->store.stage.dirfd,
				.layers_dirfd = p->store.layers_dirfd,
				.source_fd = -1,
				.fetched = fetched,
				.n_fetched = p->n_blobs,
				.top = p->found.digest,
				.layers_only = p->waiting > 0,
				.name = p->job->reference,
				.platform = p->job->fetch.platform,
				.limits = p->job->limits };
	int r;

	memcpy(fetched, p->blobs, p->n_blobs * sizeof(*fetched));
	for (size_t i = 0; i < p->n; i++) {
		struct layer *l = &p->layers[i];
		struct sb_fetched *f = &fetched[load.n_fetched];

		if (l->fd < 0)
			continue;
		*f = (struct sb_fetched){ .fd = l->fd,
					  .size = l->size,
					  .transfer = &p->job->fetch.transfers[i] };
		memcpy(f->digest, l->digest, sizeof(f->digest));
		load.n_fetched++;
	}
	if (sb_unpacker_start(&load, &p->unpacker, err) < 0 || serve(p, err) < 0)
		return -err->code;
	r = sb_unpacker_end(&p->unpacker, images, err);
	p->refused = r == -EPROTO;
	return r;
}

/* Empty what was resumed. Return: whether anything was */
static bool drop_resumed(struct pull *p)
{
	bool any = false;

	/* It must not write behind our back. */
	sb_worker_kill(&p->fetcher);
	for (size_t i = 0; i < p->n; i++) {
		struct layer *l = &p->layers[i];

		any |= l->fd >= 0 && l->have > 0 && ftruncate(l->fd, 0) == 0;
	}
	return any;
}

/* One round: take layers, get them, publish them. @ret_damaged: it failed by what was resumed. */
static int do_round(struct pull *p, struct sb_loaded_list *images, bool *ret_damaged,
		    struct sb_err *err)
{
	int r = take_layers(p, err);
	uint64_t start = sb_now_us();

	p->refused = false;
	if (r == 0)
		r = order(p, err);
	if (r == 0)
		r = unpack(p, images, err);
	if (r == 0)
		sb_debug("%6ju us fetch and unpack", (uintmax_t)(sb_now_us() - start));
	if (r == 0) {
		drop_contents(p);
		r = sb_publish_layers(&p->store, err);
	}
	*ret_damaged = p->refused && !p->again && drop_resumed(p);
	/* What came in one piece and is refused is of no use to anybody, and a full disk needs the
	 * space more than the next pull needs the bytes. */
	give_back(p, r == 0 || r == -ENOSPC || (p->refused && !*ret_damaged));
	return r;
}

static int publish(struct pull *p, const struct sb_loaded_list *images, struct sb_loaded *ret,
		   struct sb_err *err)
{
	const char *pinned = p->job->fetch.ref->digest;

	if (images->n != 1 || strcmp(images->v[0].digest, p->found.image.digest) != 0)
		return sb_err_refuse(err, EPROTO, "the unpacker sends nonsense");
	if (pinned[0] && strcmp(pinned, p->found.digest) != 0)
		return sb_err_refuse(err, EPROTO, "the " SB_FETCHER_NAME " sends nonsense");
	*ret = images->v[0];
	snprintf(ret->reference, sizeof(ret->reference), "%s", p->job->reference);
	memcpy(ret->stands_for, p->found.digest, sizeof(ret->stands_for));
	return sb_publish_images(&p->store, ret, 1, err);
}

/* Whether the store may get something by this name: only what belongs to the image. */
static bool is_ours(void *ctx, const char *digest)
{
	const struct pull *p = ctx;

	if (!strcmp(digest, p->found.image.digest) || !strcmp(digest, p->found.image.config_digest))
		return true;
	for (size_t i = 0; i < p->n; i++)
		if (!strcmp(digest, p->layers[i].diff_id))
			return true;
	return false;
}

static int run(struct pull *p, struct sb_loaded *ret, bool *ret_damaged, struct sb_err *err)
{
	struct sb_pull *job = p->job;
	struct sb_loaded_list images = SB_LOADED_LIST_INIT;
	uint64_t start;
	int r;

	if (sb_publish_begin(job->store_dirfd, &p->store, err) < 0)
		return -err->code;
	p->store.expects = is_ours;
	p->store.ctx = p;
	/* Under the lock of the store, so that what is found stays. */
	if (sb_known_find(job->store_dirfd, job->reference, &job->fetch.platform, ret))
		memcpy(job->fetch.known, ret->stands_for, sizeof(job->fetch.known));
	p->partial_dirfd = sb_partial_open(job->store_dirfd, err);
	if (p->partial_dirfd < 0 || sb_fetcher_start(&job->fetch, &p->fetcher, err) < 0)
		return -err->code;
	start = sb_now_us();
	r = find(p, err);
	sb_debug("%6ju us find the image", (uintmax_t)(sb_now_us() - start));
	if (r != 0)
		return r;
	do {
		sb_loaded_list_done(&images);
		r = do_round(p, &images, ret_damaged, err);
	} while (r == 0 && p->waiting > 0);
	if (r == 0)
		r = publish(p, &images, ret, err);
	sb_loaded_list_done(&images);
	return r;
}

/**
 * sb_pull_run() - Pull an image
 * @job:	what and where to
 * @ret:	the image; may also be written on failure
 *
 * Needs root and a single thread. On failure no image is visible that was not there before; what
 * was downloaded is gone on with by the next pull, unless it was refused or the disk is full. When
 * killed, the rest is removed by the next load, pull or gc.
 *
 * Return: 0, 1: the name still stands for what the store has, which is in @ret, or a negative errno
 * value
 */
int sb_pull_run(const struct sb_pull *job, struct sb_loaded *ret, struct sb_err *err)
{
	for (int tries = 0;; tries++) {
		struct sb_pull with_transfers = *job;
		struct pull p = { .job = &with_transfers,
				  .store = SB_PUBLISH_INIT,
				  .partial_dirfd = -1,
				  .fetcher = SB_WORKER_INIT,
				  .unpacker = SB_UNPACKER_INIT,
				  .again = tries > 0,
				  .blobs = { { .fd = -1 }, { .fd = -1 } },
				  .n_blobs = 2 };
		bool damaged = false;
		int r;

		with_transfers.fetch.transfers = sb_transfers_new(SB_IMAGE_LAYERS_MAX, err);
		if (!with_transfers.fetch.transfers)
			return -err->code;
		sb_progress_begin(job->progress);
		r = run(&p, ret, &damaged, err);
		pull_done(&p);
		if (r >= 0 || !damaged || tries > 0)
			return r;
		sb_progress_note(job->progress,
				 "an earlier download was damaged: fetching it again");
		*err = (struct sb_err)SB_ERR_INIT;
	}
}
