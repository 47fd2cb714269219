/* SPDX-License-Identifier: Apache-2.0 */
/*
 * unpacker.c - the process that meets hostile archives, and its parent's side of it
 *
 * The child confines itself (confine.c), unpacks and verifies into a stage (load.c), and reports.
 * It asks its parent for one thing only: overlay's mark for opaque directories is an attribute
 * trusted.*, which takes CAP_SYS_ADMIN (xattr(7)), a capability that would void the rest. So the
 * child sends the directory's descriptor and the parent sets the attribute.
 */
#include "images/unpacker.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include <openssl/crypto.h>

#include "images/confine.h"
#include "images/transfer.h"
#include "images/tree.h"
#include "images/wire.h"
#include "runtime/base/cleanup.h"

#define NAME "unpacker"

#define IMAGES_MAX 100000 /* far more than an archive may have: memory of the parent */

/* The child's end of the wire; one question at a time. */
struct client {
	int sock;
	pthread_mutex_t lock;
};

static int ask_for_opaque(void *arg, int dirfd)
{
	const struct sb_wire question = { .type = SB_WIRE_OPAQUE };
	struct sb_err ignored = SB_ERR_INIT;
	struct sb_wire_fds fds = { .n = 0 };
	struct client *c = arg;
	struct sb_wire answer = { .type = 0 };
	int r;

	pthread_mutex_lock(&c->lock);
	r = sb_wire_send(c->sock, &question, &dirfd, 1);
	if (r == 0)
		r = sb_wire_recv(c->sock, &answer, &fds, &ignored);
	pthread_mutex_unlock(&c->lock);
	sb_wire_close(&fds);
	if (r <= 0)
		return r < 0 ? r : -EIO;
	return answer.type == SB_WIRE_OPAQUE ? answer.code : -EIO;
}

static void tell_unpacked(void *arg, const char *diff_id)
{
	struct sb_wire msg = { .type = SB_WIRE_UNPACKED };
	struct client *c = arg;

	memcpy(msg.diff_id, diff_id, sizeof(msg.diff_id));
	/* Only for the display; if the parent is gone, we die with it. */
	(void)sb_wire_send(c->sock, &msg, NULL, 0);
}

static int report(int sock, const struct sb_loaded_list *images, struct sb_err *err)
{
	for (size_t i = 0; i < images->n; i++) {
		const struct sb_wire msg = { .type = SB_WIRE_IMAGE, .image = images->v[i] };
		int r = sb_wire_send(sock, &msg, NULL, 0);

		if (r < 0)
			return sb_err_set(err, -r, "report an image");
	}
	return 0;
}

static int run(int sock, void *arg)
{
	struct client client = { .sock = sock, .lock = PTHREAD_MUTEX_INITIALIZER };
	const struct sb_layer_hooks hooks = { .set_opaque = ask_for_opaque,
					      .unpacked = tell_unpacked,
					      .ctx = &client };
	struct sb_loaded_list images = SB_LOADED_LIST_INIT;
	struct sb_wire failed = { .type = SB_WIRE_FAILED, .err = SB_ERR_INIT };
	struct sb_load load = *(const struct sb_load *)arg;
	struct sb_confined dirs = { .stage_fd = load.stage_dirfd,
				    .layers_fd = load.layers_dirfd,
				    .source_fd = load.source_fd };
	int r;

	umask(0); /* modes are those of the archive */
	/* OpenSSL would read its configuration from the host when it is first used. */
	OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG, NULL);
	r = sb_confine_unpacker(&dirs, &failed.err);
	if (r == 0) {
		load.stage_dirfd = dirs.stage_fd;
		load.layers_dirfd = dirs.layers_fd;
		load.source_fd = dirs.source_fd;
		load.hooks = &hooks;
		r = sb_load_run(&load, &images, &failed.err);
	}
	if (r == 0)
		r = report(sock, &images, &failed.err);
	sb_loaded_list_done(&images);
	if (r < 0)
		(void)sb_wire_send(sock, &failed, NULL, 0);
	return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

/**
 * sb_unpacker_start() - Start to unpack in a process of its own
 * @load:	what; borrowed until the process has ended, and so is what it points to. @hooks are
 *		the process's own
 * @ret:	ended with sb_unpacker_end() or sb_unpacker_kill(); written on success only
 *
 * Needs root. The caller has a single thread.
 *
 * Return: 0, or a negative errno value
 */
int sb_unpacker_start(const struct sb_load *load, struct sb_unpacker *ret, struct sb_err *err)
{
	int keep[SB_WORKER_KEEP_MAX] = { load->stage_dirfd, load->layers_dirfd, load->source_fd };
	struct sb_worker_job job = {
		.name = NAME, .run = run, .arg = (void *)(uintptr_t)load, .keep = keep, .n_keep = 3
	};
	struct sb_unpacker u = SB_UNPACKER_INIT;

	if (load->n_fetched > SB_WORKER_KEEP_MAX - job.n_keep)
		return sb_err_set(err, EMFILE, "start the " NAME);
	for (size_t i = 0; i < load->n_fetched; i++)
		keep[job.n_keep++] = load->fetched[i].fd;
	u.stage_fd = load->stage_dirfd;
	if (sb_worker_start(&job, &u.worker, err) < 0)
		return -err->code;
	*ret = u;
	return 0;
}

/* Only directories, and only where the stage is: all the child may ask for. */
static int mark_opaque(const struct sb_unpacker *u, const struct sb_wire_fds *fds)
{
	struct stat st, stage;

	if (fds->n != 1 || fstat(fds->v[0], &st) < 0 || fstat(u->stage_fd, &stage) < 0)
		return -EINVAL;
	if (!S_ISDIR(st.st_mode) || st.st_dev != stage.st_dev)
		return -EPERM;
	return fsetxattr(fds->v[0], "trusted.overlay.opaque", "y", 1, 0) < 0 ? -errno : 0;
}

/**
 * sb_unpacker_serve() - Wait for a message of the unpacker and do what it wants
 * @u:		unpacker
 *
 * Return: 1, 0 when it has no more to say, or a negative errno value
 */
int sb_unpacker_serve(struct sb_unpacker *u, struct sb_err *err)
{
	struct sb_wire_fds fds = { .n = 0 };
	struct sb_wire msg;
	int r = sb_wire_recv(u->worker.sock, &msg, &fds, err);

	u->unpacked[0] = '\0';
	if (r <= 0)
		return r;
	switch ((enum sb_wire_type)msg.type) {
	case SB_WIRE_OPAQUE:
		msg.code = mark_opaque(u, &fds);
		/* If it has died, its exit status will tell. */
		(void)sb_wire_send(u->worker.sock, &msg, NULL, 0);
		break;
	case SB_WIRE_IMAGE:
		if (u->images.n == IMAGES_MAX)
			r = sb_err_refuse(err, EPROTO, "the " NAME " sends nonsense");
		else if (sb_loaded_list_add(&u->images, &msg.image, err) < 0)
			r = -err->code;
		break;
	case SB_WIRE_FAILED:
		u->err = msg.err;
		break;
	case SB_WIRE_UNPACKED:
		memcpy(u->unpacked, msg.diff_id, sizeof(u->unpacked));
		break;
	case SB_WIRE_ACCEPTED:
	case SB_WIRE_CURRENT:
	case SB_WIRE_DOCUMENT:
	case SB_WIRE_FOUND:
	case SB_WIRE_LAYER:
	case SB_WIRE_FETCH:
	case SB_WIRE_FETCHED:
	case SB_WIRE_NOTICE:
	default:
		r = sb_err_refuse(err, EPROTO, "the " NAME " sends nonsense");
	}
	sb_wire_close(&fds);
	return r;
}

/**
 * sb_unpacker_end() - Wait until the unpacker has ended
 * @u:		unpacker that has no more to say; is reset
 * @ret:	what it has unpacked; written on success only, released with sb_loaded_list_done()
 *
 * Return: 0, or a negative errno value: why it failed
 */
int sb_unpacker_end(struct sb_unpacker *u, struct sb_loaded_list *ret, struct sb_err *err)
{
	int r = sb_worker_end(&u->worker, NAME, err);

	if (r > 0 && u->err.code) {
		*err = u->err;
		r = -err->code;
	} else if (r > 0) {
		r = sb_err_set(err, EIO, "the " NAME " ended with code %d", r);
	}
	if (r == 0)
		*ret = u->images;
	else
		sb_loaded_list_done(&u->images);
	*u = (struct sb_unpacker)SB_UNPACKER_INIT;
	return r;
}

/**
 * sb_unpacker_kill() - End an unpacker whose work is of no use any more
 * @u:		is reset; nothing happens if it was never started
 */
void sb_unpacker_kill(struct sb_unpacker *u)
{
	sb_worker_kill(&u->worker);
	sb_loaded_list_done(&u->images);
}
