/* SPDX-License-Identifier: Apache-2.0 */
/* login.c - whether a registry accepts credentials */
#include "images/login.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "images/confine.h"
#include "images/hosts.h"
#include "images/registry.h"
#include "images/wire.h"
#include "images/worker.h"
#include "runtime/base/err.h"

#define NAME "fetcher"

static int ping(const struct sb_hosts *hosts, struct sb_err *err)
{
	_cleanup_registry_ struct sb_registry *reg =
		sb_registry_new(NULL, hosts->v, hosts->n, NULL, err);

	if (!reg || sb_registry_ping(reg, err) == 0)
		return reg ? 0 : -err->code;
	if (err->code == EACCES)
		err->hint[0] = '\0'; /* it would be to log in */
	return -err->code;
}

/* The child: talk to the registry, and say what came of it. */
static int run(int sock, void *arg)
{
	struct sb_wire msg = { .type = SB_WIRE_ACCEPTED };

	if (sb_confine_fetcher(&msg.err) < 0 || ping(arg, &msg.err) < 0)
		msg.type = SB_WIRE_FAILED;
	return sb_wire_send(sock, &msg, NULL, 0) < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

/**
 * sb_login_verify() - Try credentials at a registry
 * @hosts:	from sb_hosts_for_login(), with the credentials
 *
 * Root does not meet the network: a process that has become nobody does. A registry that lets
 * everybody in does not look at credentials, and so accepts them. The caller has a single thread.
 *
 * Return: 0, or a negative errno value as sb_registry_ping() (-EACCES: not accepted)
 */
int sb_login_verify(struct sb_hosts *hosts, struct sb_err *err)
{
	const struct sb_worker_job job = { .name = NAME, .run = run, .arg = hosts };
	struct sb_worker worker = SB_WORKER_INIT;
	struct sb_wire_fds fds = { .n = 0 };
	struct sb_wire msg;
	int r;

	if (geteuid() != 0)
		return ping(hosts, err);
	if (sb_worker_start(&job, &worker, err) < 0)
		return -err->code;
	r = sb_wire_recv(worker.sock, &msg, &fds, err);
	sb_wire_close(&fds);
	if (r <= 0) {
		sb_worker_kill(&worker);
		return r < 0 ? r : sb_err_refuse(err, EIO, "the " NAME " has ended");
	}
	if (sb_worker_end(&worker, NAME, err) < 0)
		return -err->code;
	if (msg.type == SB_WIRE_ACCEPTED)
		return 0;
	*err = msg.err;
	return -err->code;
}
