/* SPDX-License-Identifier: Apache-2.0 */
/* start.c - fork the monitor of a new sandbox and wait until the sandbox is ready */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "images/image.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/err.h"
#include "runtime/base/str.h"
#include "runtime/base/sys.h"
#include "runtime/sandbox/client.h"
#include "runtime/sandbox/sandbox.h"

static int draw_id(char id[SB_ID_LEN], struct sb_err *err)
{
	uint64_t n;

	do
		if (getrandom(&n, sizeof(n), 0) != sizeof(n))
			return sb_err_set(err, errno, "draw an id");
	while (!sb_net_id_is_usable(n));
	snprintf(id, SB_ID_LEN, "%016jx", (uintmax_t)n);
	return 0;
}

/* The environment of every session: the image's, what must be there, what the user adds. */
static int fill_env(struct sb_record *rec, const struct sb_create *c, const struct sb_image *image,
		    struct sb_err *err)
{
	char hostname[SB_NAME_LEN + 16];

	snprintf(hostname, sizeof(hostname), "HOSTNAME=%s", rec->hostname);
	if (sb_strv_set_env(&rec->env, "PATH=" SB_DEFAULT_PATH, err) < 0 ||
	    sb_strv_set_env(&rec->env, hostname, err) < 0)
		return -err->code;
	for (size_t i = 0; i < image->env.n; i++)
		if (sb_strv_set_env(&rec->env, image->env.v[i], err) < 0)
			return -err->code;
	for (size_t i = 0; c->env && i < c->env->n; i++)
		if (sb_strv_set_env(&rec->env, c->env->v[i], err) < 0)
			return -err->code;
	return 0;
}

/* Join a working directory to the image's, where it is relative. */
static char *working_dir(const struct sb_create *c, const struct sb_image *image)
{
	const char *base = image->working_dir && image->working_dir[0] ? image->working_dir : "/";
	char *ret = NULL;

	if (!c->cwd || c->cwd[0] == '/')
		return strdup(c->cwd ? c->cwd : base);
	return asprintf(&ret, "%s/%s", base, c->cwd) < 0 ? NULL : ret;
}

static int fill_record(struct sb_record *rec, const struct sb_create *c,
		       const struct sb_image *image, struct sb_err *err)
{
	if (c->name)
		snprintf(rec->name, sizeof(rec->name), "%s", c->name);
	snprintf(rec->hostname, sizeof(rec->hostname), "%s", c->name ? c->name : rec->id);
	if (!image->reference ||
	    sb_image_familiar(image->reference, rec->image, sizeof(rec->image)) < 0)
		snprintf(rec->image, sizeof(rec->image), "%s", image->digest);
	snprintf(rec->image_digest, sizeof(rec->image_digest), "%s", image->digest);
	rec->created_ms = sb_wall_ms();
	rec->remove = c->remove;
	rec->main_exec = c->is_run ? 1 : 0; /* sessions are counted from 1 */
	rec->limits = c->limits;
	rec->cwd = working_dir(c, image);
	rec->user = strdup(c->user ? c->user : image->user ? image->user : "");
	if (!rec->cwd || !rec->user)
		return sb_err_set(err, ENOMEM, "describe the sandbox");
	return fill_env(rec, c, image, err);
}

/**
 * sb_sandbox_start() - Make a sandbox, supervised by a process of its own
 * @home:	home
 * @create:	how it is to be
 * @image:	image that sb_image_open() found; unlocked on success: the sandbox keeps it from now
 * on
 * @ret_id:	its id
 *
 * Needs root and a single-threaded caller. The monitor is no child that the caller has to wait for.
 * If the caller dies before the sandbox is ready, the sandbox is removed.
 *
 * Return: a connection to the monitor, as from sb_client_connect(), or a negative errno value
 */
int sb_sandbox_start(const struct sb_home *home, const struct sb_create *create,
		     struct sb_image *image, char ret_id[SB_ID_LEN], struct sb_err *err)
{
	_cleanup_fd_ int conn = -1, monitor_end = -1;
	_cleanup_json_ json_t *reply = NULL;
	struct sb_sandbox sb;
	char id[SB_ID_LEN];
	int pair[2] = { -1, -1 }, ret;
	pid_t pid;

	if (image->layers.n == 0)
		return sb_err_refuse(err, EINVAL, "image '%s' has no layers", image->digest);
	if (draw_id(id, err) < 0 || sb_sandbox_init(&sb, home, id, err) < 0)
		return -err->code;
	sb.image = image;
	sb.create = create;
	ret = fill_record(&sb.rec, create, image, err);
	if (ret == 0 && socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		ret = sb_err_set(err, errno, "make a socket pair");
	if (ret < 0) {
		sb_record_done(&sb.rec);
		return ret;
	}
	conn = pair[0];
	monitor_end = pair[1];
	pid = fork();
	if (pid == 0) {
		(void)close(conn);
		sb_monitor_run(&sb, monitor_end);
	}
	sb_record_done(&sb.rec);
	if (pid < 0)
		return sb_err_set(err, errno, "fork the monitor");
	sb_close_fd(&monitor_end);
	/* The monitor has a copy, so the lock holds until it is done with it, even if we are
	 * killed. */
	sb_image_unlock(image);
	if (sb_client_recv(conn, &reply, NULL, err) < 0)
		return -err->code;
	memcpy(ret_id, id, SB_ID_LEN);
	return sb_steal_fd(&conn);
}
