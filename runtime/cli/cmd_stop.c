/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_stop.c - sbrun stop */
#include <errno.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/err.h"
#include "runtime/base/json.h"
#include "runtime/cli/cli.h"
#include "runtime/sandbox/client.h"
#include "runtime/sandbox/sandbox.h"

/**
 * struct stop_opts - options of stop
 * @grace_ms:	how long processes may take
 */
struct stop_opts {
	uint64_t grace_ms;
};

static const struct stop_opts defaults = { .grace_ms = SB_STOP_GRACE_MS };

#define OPT(field) offsetof(struct stop_opts, field)
static const struct sb_opt table[] = {
	{ "time", 't', SB_OPT_DURATION, OPT(grace_ms), "D",
	  "kill what has not ended by then (10s)" },
	{ .name = NULL },
};

static int stop_one(struct sb_cli *cli, const char *id, int exec, void *arg, struct sb_err *err)
{
	const struct stop_opts *o = arg;
	_cleanup_json_ json_t *reply = NULL;
	int ret;

	if (exec) {
		sb_err_refuse(err, EINVAL, "a session cannot be stopped");
		return sb_err_hint(err, "'sbrun kill -s TERM %s/%d' ends it", id, exec);
	}
	ret = sb_client_request(
		&cli->home, id,
		json_pack("{s:s, s:I}", "op", "stop", "graceMs", (json_int_t)o->grace_ms), &reply,
		err);
	return ret == -ENOTCONN ? 0 : ret; /* not running is what it was to be */
}

static int run(struct sb_cli *cli, void *opts, int argc, const char *argv[], struct sb_err *err)
{
	return sb_target_each(cli, argc, argv, stop_one, opts, err);
}

const struct sb_cmd sb_cmd_stop = {
	.name = "stop",
	.args = "ID…",
	.summary = "end sandboxes; their logs stay until they are removed",
	.text = "SIGTERM goes to the first process of each session, SIGKILL to what is left after "
		"the\n"
		"grace period.\n",
	.opts = table,
	.defaults = &defaults,
	.opts_size = sizeof(struct stop_opts),
	.min_args = 1,
	.max_args = -1,
	.collects = true,
	.run = run,
};
