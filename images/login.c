/* SPDX-License-Identifier: Apache-2.0 */
/* login.c - whether a registry accepts credentials */
#include "images/login.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "images/confine.h"
#include "images/registry.h"
#include "images/wire.h"
#include "images/worker.h"
#include "runtime/base/err.h"

#define NAME "fetcher"

/* What the child is to ask. */
struct question {
	const struct sb_registry_host *hosts;
	size_t n_hosts;
};

static int ask(const struct question *q, struct sb_err *err)
{
	_cleanup_registry_ struct sb_registry *reg = NULL;

	/* Another user than root has no power to give up. */
	if (geteuid() == 0 && sb_confine_fetcher(err) < 0)
		return -err->code;
	reg = sb_registry_new(NULL, q->hosts, q->n_hosts, NULL, err);
	return reg ? sb_registry_ping(reg, err) : -err->code;
}

static int run(int sock, void *arg)
{
	struct sb_wire failed = { .type = SB_WIRE_FAILED, .err = SB_ERR_INIT };

	if (ask(arg, &failed.err) == 0)
		return EXIT_SUCCESS;
	(void)sb_wire_send(sock, &failed, NULL, 0);
	return EXIT_FAILURE;
}

/**
 * sb_login_verify() - Try credentials at a registry
 * @hosts:	from sb_hosts_for_login(), with the credentials; borrowed
 * @n_hosts:	how many; the last one is asked
 *
 * A process without any power asks (confine.c). A registry that lets everybody in does not
 * look at credentials, and so accepts them.
 *
 * Return: 0, or a negative errno value as sb_registry_ping() (-EACCES: not accepted)
 */
int sb_login_verify(const struct sb_registry_host *hosts, size_t n_hosts, struct sb_err *err)
{
	struct question question = { .hosts = hosts, .n_hosts = n_hosts };
	const struct sb_worker_job job = { .name = NAME, .run = run, .arg = &question };
	struct sb_worker worker = SB_WORKER_INIT;
	struct sb_wire_fds fds = { .n = 0 };
	struct sb_wire msg = { .type = 0 };
	int said, r;

	if (sb_worker_start(&job, &worker, err) < 0)
		return -err->code;
	said = sb_wire_recv(worker.sock, &msg, &fds, err);
	sb_wire_close(&fds);
	r = sb_worker_end(&worker, NAME, err);
	if (r <= 0)
		return r;
	if (said <= 0 || msg.type != SB_WIRE_FAILED)
		return sb_err_set(err, EIO, "the " NAME " ended with code %d", r);
	*err = msg.err;
	if (err->code == EACCES)
		err->hint[0] = '\0'; /* it would be to log in */
	return -err->code;
}
