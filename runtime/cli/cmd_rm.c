/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_rm.c - sbrun rm */
#include <errno.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/err.h"
#include "runtime/base/json.h"
#include "runtime/cli/cli.h"
#include "runtime/sandbox/client.h"
#include "runtime/sandbox/gc.h"

/**
 * struct rm_opts - options of rm
 * @force:	end it first
 */
struct rm_opts {
	bool force;
};

#define OPT(field) offsetof(struct rm_opts, field)
static const struct sb_opt table[] = {
	{ "force", 'f', SB_OPT_FLAG, OPT(force), NULL, "kill it first if it is running" },
	{ .name = NULL },
};

static int rm_one(struct sb_cli *cli, const char *id, int exec, void *arg, struct sb_err *err)
{
	const struct rm_opts *o = arg;
	_cleanup_json_ json_t *reply = NULL;
	int ret;

	if (exec)
		return sb_err_refuse(err, EINVAL, "sessions are removed with their sandbox");
	if (!o->force) {
		if (sb_gc_remove(&cli->home, id, err) < 0)
			return sb_err_hint(err, "stop it first, or use rm -f");
		return 0;
	}
	ret = sb_client_request(
		&cli->home, id,
		json_pack("{s:s, s:i, s:b}", "op", "stop", "graceMs", 0, "remove", 1), &reply, err);
	return ret == -ENOTCONN ? sb_gc_remove(&cli->home, id, err) : ret;
}

static int run(struct sb_cli *cli, void *opts, int argc, const char *argv[], struct sb_err *err)
{
	return sb_target_each(cli, argc, argv, rm_one, opts, err);
}

const struct sb_cmd sb_cmd_rm = {
	.name = "rm",
	.args = "ID…",
	.summary = "remove sandboxes with all they have written",
	.opts = table,
	.opts_size = sizeof(struct rm_opts),
	.min_args = 1,
	.max_args = -1,
	.collects = true,
	.run = run,
};
