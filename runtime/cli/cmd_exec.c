/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_exec.c - sbrun exec */
#include <stdio.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/err.h"
#include "runtime/base/json.h"
#include "runtime/base/str.h"
#include "runtime/cli/cli.h"
#include "runtime/sandbox/attach.h"
#include "runtime/sandbox/client.h"

/**
 * struct exec_opts - options of exec
 * @background:	do not wait for the command
 * @interactive: our standard input is the command's
 * @tty:	the command gets a terminal
 * @timeout_ms:	time limit; 0 = none
 * @env:	variables on top of the sandbox's
 * @cwd:	working directory instead of the sandbox's
 * @user:	user instead of the sandbox's
 */
struct exec_opts {
	bool background;
	bool interactive;
	bool tty;
	uint64_t timeout_ms;
	struct sb_strv env;
	const char *cwd;
	const char *user;
};

#define OPT(field) offsetof(struct exec_opts, field)
static const struct sb_opt table[] = {
	{ "detach", 'd', SB_OPT_FLAG, OPT(background), NULL,
	  "run in the background, print ID/EXEC" },
	{ "background", 0, SB_OPT_FLAG, OPT(background), NULL, "the same" },
	{ "interactive", 'i', SB_OPT_FLAG, OPT(interactive), NULL, "pass standard input on" },
	{ "tty", 't', SB_OPT_FLAG, OPT(tty), NULL, "give the command a terminal" },
	{ "timeout", 0, SB_OPT_DURATION, OPT(timeout_ms), "D",
	  "kill it and all it started after that time" },
	{ "env", 'e', SB_OPT_ENV, OPT(env), "K[=V]", "set a variable (K alone: take ours)" },
	{ "workdir", 'w', SB_OPT_STR, OPT(cwd), "DIR", "working directory" },
	{ "user", 'u', SB_OPT_STR, OPT(user), "USER[:GRP]", "user name or number" },
	{ .name = NULL },
};

static void done(void *opts)
{
	sb_strv_done(&((struct exec_opts *)opts)->env);
}

static json_t *make_request(const struct exec_opts *o, int argc, const char *argv[],
			    struct sb_err *err)
{
	json_t *request = sb_session_request(argv, argc, err);

	if (!request)
		return NULL;
	(void)json_object_set_new(request, "env", sb_json_from_strv(&o->env));
	(void)json_object_set_new(request, "timeoutMs", json_integer((json_int_t)o->timeout_ms));
	if (o->cwd)
		(void)json_object_set_new(request, "cwd", json_string(o->cwd));
	if (o->user)
		(void)json_object_set_new(request, "user", json_string(o->user));
	return request;
}

static int run(struct sb_cli *cli, void *opts, int argc, const char *argv[], struct sb_err *err)
{
	const struct exec_opts *o = opts;
	const struct sb_attach how = { .interactive = o->interactive,
				       .tty = o->tty,
				       .background = o->background };
	_cleanup_json_ json_t *record = NULL;
	_cleanup_fd_ int conn = -1;
	char id[SB_ID_LEN];
	json_t *request;
	int ret;

	if (sb_target(cli, argv[0], id, NULL, err) < 0)
		return -err->code;
	conn = sb_client_connect(&cli->home, id, err);
	request = conn < 0 ? NULL : make_request(o, argc - 1, argv + 1, err);
	if (!request)
		return -err->code;
	ret = sb_session_run(cli, conn, request, &how, &record, err);
	if (ret >= 0 && o->background && !cli->json)
		puts(json_string_value(json_object_get(record, "id")));
	return ret;
}

const struct sb_cmd sb_cmd_exec = {
	.name = "exec",
	.args = "ID COMMAND [ARG…]",
	.summary = "run a command in a running sandbox",
	.text = "In the foreground the command dies with sbrun. With --json its output is "
		"captured: the\n"
		"result is one object with stdout, stderr, exitCode and how it ended. Exit codes: "
		"as for\n"
		"'sbrun run'.\n\n"
		"Examples:\n"
		"  sbrun exec web cat /etc/hosts\n"
		"  sbrun exec -d web python3 server.py        # prints ID/1; see 'sbrun logs'\n"
		"  sbrun exec --timeout 30s web pip install flask\n",
	.opts = table,
	.opts_size = sizeof(struct exec_opts),
	.options_first = true,
	.min_args = 2,
	.max_args = -1,
	.run = run,
	.done = done,
};
