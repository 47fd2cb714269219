/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_kill.c - sbrun kill */
#include <signal.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/err.h"
#include "runtime/base/json.h"
#include "runtime/cli/cli.h"
#include "runtime/sandbox/client.h"

/**
 * struct kill_opts - options of kill
 * @sig:	signal
 */
struct kill_opts {
	int sig;
};

static const struct kill_opts defaults = { .sig = SIGKILL };

#define OPT(field) offsetof(struct kill_opts, field)
static const struct sb_opt table[] = {
	{ "signal", 's', SB_OPT_SIGNAL, OPT(sig), "SIG", "signal, by name or number (KILL)" },
	{ .name = NULL },
};

static int kill_one(struct sb_cli *cli, const char *id, int exec, void *arg, struct sb_err *err)
{
	const struct kill_opts *o = arg;
	_cleanup_json_ json_t *reply = NULL;

	return sb_client_request(
		&cli->home, id,
		json_pack("{s:s, s:i, s:i}", "op", "kill", "exec", exec, "signal", o->sig), &reply,
		err);
}

static int run(struct sb_cli *cli, void *opts, int argc, const char *argv[], struct sb_err *err)
{
	return sb_target_each(cli, argc, argv, kill_one, opts, err);
}

const struct sb_cmd sb_cmd_kill = {
	.name = "kill",
	.args = "ID[/EXEC]…",
	.summary = "send a signal to a session, or to all of a sandbox",
	.text = "KILL ends the whole process tree of a session, or the sandbox. Other signals go "
		"to the\n"
		"first process of the session, or of each session.\n",
	.opts = table,
	.defaults = &defaults,
	.opts_size = sizeof(struct kill_opts),
	.min_args = 1,
	.max_args = -1,
	.run = run,
};
