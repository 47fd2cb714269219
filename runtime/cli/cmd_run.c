/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_run.c - sbrun run, sbrun create */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "images/image.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/err.h"
#include "runtime/base/json.h"
#include "runtime/base/str.h"
#include "runtime/cli/cli.h"
#include "runtime/cli/image_program.h"
#include "runtime/sandbox/attach.h"
#include "runtime/sandbox/client.h"
#include "runtime/sandbox/sandbox.h"

/**
 * struct run_opts - options of run and create
 * @name:	name of the sandbox
 * @env:	variables on top of the image's
 * @pull:	when to pull the image; NULL: as configured
 * @cwd:	working directory
 * @user:	user
 * @memory:	bytes; 0 = no limit
 * @cpus:	thousandths; 0 = no limit
 * @pids:	processes and threads
 * @ttl_ms:	lifetime; 0 = unlimited
 * @timeout_ms:	time limit of the command; 0 = none
 * @detach:	do not wait for the command
 * @interactive: our standard input is the command's
 * @tty:	the command gets a terminal
 * @rm:		remove the sandbox when the command ends
 */
struct run_opts {
	const char *name;
	struct sb_strv env;
	const char *pull;
	const char *cwd;
	const char *user;
	uint64_t memory;
	uint32_t cpus;
	uint64_t pids;
	uint64_t ttl_ms;
	uint64_t timeout_ms;
	bool detach;
	bool interactive;
	bool tty;
	bool rm;
};

static const struct run_opts defaults = {
	.pids = SB_PIDS_DEFAULT,
	.ttl_ms = SB_TTL_DEFAULT_MS,
};

#define OPT(field) offsetof(struct run_opts, field)
#define SANDBOX_OPTIONS                                                                               \
	{ "name", 'n', SB_OPT_NAME, OPT(name), "NAME", "give the sandbox a name" },                   \
		{ "env", 'e', SB_OPT_ENV, OPT(env), "K[=V]", "set a variable (K alone: take ours)" }, \
		{ "pull", 0, SB_OPT_STR, OPT(pull), "WHEN", "always, missing, never or newer" },      \
		{ "workdir", 'w', SB_OPT_STR, OPT(cwd), "DIR", "working directory" },                 \
		{ "user", 'u', SB_OPT_STR, OPT(user), "USER[:GRP]", "user name or number" },          \
		{ "memory", 'm', SB_OPT_SIZE, OPT(memory), "BYTES", "memory limit, such as 512m" },   \
		{ "cpus", 0, SB_OPT_CPUS, OPT(cpus), "N", "processors, such as 1.5" },                \
		{ "pids-limit", 0, SB_OPT_COUNT, OPT(pids), "N", "processes and threads (4096)" },    \
	{                                                                                             \
		"ttl", 0, SB_OPT_DURATION, OPT(ttl_ms), "D", "lifetime (10m); 0 = unlimited"          \
	}

static const struct sb_opt run_table[] = {
	SANDBOX_OPTIONS,
	{ "detach", 'd', SB_OPT_FLAG, OPT(detach), NULL, "run in the background, print the id" },
	{ "interactive", 'i', SB_OPT_FLAG, OPT(interactive), NULL, "pass standard input on" },
	{ "tty", 't', SB_OPT_FLAG, OPT(tty), NULL, "give the command a terminal" },
	{ "rm", 0, SB_OPT_FLAG, OPT(rm), NULL, "remove the sandbox when the command ends" },
	{ "timeout", 0, SB_OPT_DURATION, OPT(timeout_ms), "D", "kill the command after that time" },
	{ .name = NULL },
};

static const struct sb_opt create_table[] = {
	SANDBOX_OPTIONS,
	{ .name = NULL },
};

static void done(void *opts)
{
	sb_strv_done(&((struct run_opts *)opts)->env);
}

static void cleanup_image(struct sb_image *image)
{
	sb_image_done(image);
}

static int start(struct sb_cli *cli, const struct run_opts *o, struct sb_image *image, bool is_run,
		 char ret_id[SB_ID_LEN], struct sb_err *err)
{
	struct sb_create c = {
		.name = o->name,
		.env = &o->env,
		.cwd = o->cwd,
		.user = o->user,
		.limits = { .memory_bytes = o->memory, .pids = o->pids, .cpu_milli = o->cpus },
		.ttl_ms = o->ttl_ms,
		.title = cli->title,
		.title_len = cli->title_len,
		.is_run = is_run,
		.remove = o->rm,
	};

	if (o->memory && o->memory < SB_MEMORY_MIN) {
		sb_err_refuse(err, EINVAL, "--memory: %ju bytes are too few for any program",
			      (uintmax_t)o->memory);
		return sb_err_hint(err, "the least is 1m");
	}
	return sb_sandbox_start(&cli->home, &c, image, ret_id, err);
}

/* The words to run: entrypoint and arguments by OCI image-spec config.md, "Entrypoint", "Cmd". */
static json_t *make_request(const struct run_opts *o, const struct sb_image *image, int argc,
			    const char *argv[], struct sb_err *err)
{
	json_t *request = sb_session_request(argv, argc, err);
	json_t *args = json_object_get(request, "args");

	if (!request)
		return NULL;
	for (size_t i = image->entrypoint.n; i-- > 0;)
		(void)json_array_insert_new(args, 0, json_string(image->entrypoint.v[i]));
	for (size_t i = 0; argc == 0 && i < image->cmd.n; i++)
		(void)json_array_append_new(args, json_string(image->cmd.v[i]));
	if (json_array_size(args) == 0) {
		json_decref(request);
		sb_err_refuse(err, EINVAL, "no command: the image has none either");
		sb_err_hint(err, "usage: sbrun run IMAGE COMMAND");
		return NULL;
	}
	(void)json_object_set_new(request, "timeoutMs", json_integer((json_int_t)o->timeout_ms));
	return request;
}

static int run(struct sb_cli *cli, void *opts, int argc, const char *argv[], struct sb_err *err)
{
	const struct run_opts *o = opts;
	const struct sb_attach how = { .interactive = o->interactive,
				       .tty = o->tty,
				       .background = o->detach };
	_cleanup_(cleanup_image) struct sb_image image = SB_IMAGE_INIT;
	_cleanup_json_ json_t *record = NULL;
	_cleanup_fd_ int conn = -1;
	char id[SB_ID_LEN];
	json_t *request;
	int ret;

	if (sb_image_obtain(cli, argv[0], o->pull, &image, err) < 0)
		return -err->code;
	request = make_request(o, &image, argc - 1, argv + 1, err);
	if (!request)
		return -err->code;
	conn = start(cli, o, &image, true, id, err);
	if (conn < 0) {
		json_decref(request);
		return -err->code;
	}
	ret = sb_session_run(cli, conn, request, &how, &record, err);
	if (ret >= 0 && o->detach && !cli->json)
		puts(id);
	return ret;
}

static int create(struct sb_cli *cli, void *opts, int argc, const char *argv[], struct sb_err *err)
{
	const struct run_opts *o = opts;
	_cleanup_(cleanup_image) struct sb_image image = SB_IMAGE_INIT;
	_cleanup_record_ struct sb_record rec = SB_RECORD_INIT;
	_cleanup_fd_ int conn = -1;
	char id[SB_ID_LEN];

	(void)argc;
	if (sb_image_obtain(cli, argv[0], o->pull, &image, err) < 0)
		return -err->code;
	conn = start(cli, o, &image, false, id, err);
	if (conn < 0)
		return -err->code;
	if (!cli->json) {
		puts(id);
		return 0;
	}
	if (sb_record_load(&cli->home, id, &rec, err) < 0)
		return -err->code;
	sb_out_json(sb_record_json(&cli->home, &rec));
	return 0;
}

const struct sb_cmd sb_cmd_run = {
	.name = "run",
	.args = "IMAGE [COMMAND [ARG…]]",
	.summary = "run a command in a new sandbox that ends with it",
	.text = "The exit code is the command's; 124 if its time was up, 125 if sbrun failed, 126 "
		"if it\n"
		"cannot be executed, 127 if it was not found, 128+N if signal N killed it.\n\n"
		"Examples:\n"
		"  sbrun run --rm busybox echo hello\n"
		"  sbrun run --rm -it python:3.12-slim\n"
		"  sbrun run -d --name web -m 256m python:3.12-slim python3 -m http.server -b :: "
		"8000\n",
	.opts = run_table,
	.defaults = &defaults,
	.opts_size = sizeof(struct run_opts),
	.options_first = true,
	.min_args = 1,
	.max_args = -1,
	.collects = true,
	.run = run,
	.done = done,
};

const struct sb_cmd sb_cmd_create = {
	.name = "create",
	.args = "IMAGE",
	.summary = "make a sandbox that is ready for commands, print its id",
	.text = "No command of the image is run; 'sbrun exec' does that. The sandbox lives until "
		"it is\n"
		"stopped or its lifetime is over.\n\n"
		"Example:\n"
		"  id=$(sbrun create python:3.12-slim) && sbrun exec $id python3 -V; sbrun rm -f "
		"$id\n",
	.opts = create_table,
	.defaults = &defaults,
	.opts_size = sizeof(struct run_opts),
	.min_args = 1,
	.max_args = 1,
	.collects = true,
	.run = create,
	.done = done,
};
