/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_logs.c - sbrun logs */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/err.h"
#include "runtime/cli/cli.h"
#include "runtime/sandbox/logs.h"
#include "runtime/sandbox/record.h"

#define JSON_MAX (32 << 20) /* both streams of a session at their bound */

/**
 * struct logs_opts - options of logs
 * @follow:	go on until the session has ended
 */
struct logs_opts {
	bool follow;
};

#define OPT(field) offsetof(struct logs_opts, field)
static const struct sb_opt table[] = {
	{ "follow", 'f', SB_OPT_FLAG, OPT(follow), NULL, "go on until the session has ended" },
	{ .name = NULL },
};

/* Which session an ID alone means: the one of `run`, else the newest that has logs. */
static int choose(const struct sb_cli *cli, const char *id, struct sb_logs *ret, int *ret_exec,
		  struct sb_err *err)
{
	_cleanup_record_ struct sb_record rec = SB_RECORD_INIT;

	if (sb_record_load(&cli->home, id, &rec, err) < 0)
		return -err->code;
	*ret_exec = rec.main_exec ? rec.main_exec : sb_logs_newest(&cli->home, id);
	if (*ret_exec == 0) {
		sb_err_refuse(err, ENOENT, "no session of '%s' has logs", id);
		return sb_err_hint(err, "only background sessions have");
	}
	return sb_logs_open(&cli->home, id, *ret_exec, ret, err);
}

static void add_stream(json_t *o, const char *key, int fd, int64_t from)
{
	char *data = NULL;
	ssize_t n = 0;
	json_t *text;

	if (fd >= 0)
		data = malloc(JSON_MAX);
	if (data)
		n = pread(fd, data, JSON_MAX, from);
	text = json_stringn(data ? data : "", n > 0 ? (size_t)n : 0);
	if (!text)
		text = sb_out_base64(data, (size_t)n, o, key);
	(void)json_object_set_new(o, key, text);
	free(data);
}

static int print_json(const char *id, int exec, const struct sb_logs *logs)
{
	char name[SB_ID_LEN + 16];
	json_t *o;

	snprintf(name, sizeof(name), "%s/%d", id, exec);
	o = json_pack("{s:s, s:I, s:I}", "id", name, "stdoutFrom", (json_int_t)logs->from[0],
		      "stderrFrom", (json_int_t)logs->from[1]);
	add_stream(o, "stdout", logs->fds[0], logs->from[0]);
	add_stream(o, "stderr", logs->fds[1], logs->from[1]);
	sb_out_json(o);
	return 0;
}

static int run(struct sb_cli *cli, void *opts, int argc, const char *argv[], struct sb_err *err)
{
	const int to[2] = { STDOUT_FILENO, STDERR_FILENO };
	const struct logs_opts *o = opts;
	struct sb_logs logs = SB_LOGS_INIT;
	char id[SB_ID_LEN];
	int exec, ret;

	(void)argc;
	if (cli->json && o->follow)
		return sb_err_refuse(err, EINVAL, "--follow and --json exclude each other");
	if (sb_target(cli, argv[0], id, &exec, err) < 0)
		return -err->code;
	ret = exec ? sb_logs_open(&cli->home, id, exec, &logs, err)
		   : choose(cli, id, &logs, &exec, err);
	if (ret < 0)
		return ret;
	if (cli->json)
		ret = print_json(id, exec, &logs);
	else if (o->follow)
		ret = sb_logs_follow(&cli->home, id, exec, &logs, err);
	else
		ret = sb_logs_copy(&logs, to, err);
	sb_logs_close(&logs);
	return ret;
}

const struct sb_cmd sb_cmd_logs = {
	.name = "logs",
	.args = "ID[/EXEC]",
	.summary = "show what a background session has written",
	.text = "What it wrote to standard error goes to standard error. ID alone means the "
		"session of\n"
		"'sbrun run', else the newest one in the background. The last 16 MiB of each "
		"stream are\n"
		"kept.\n\n"
		"Example:\n"
		"  sbrun logs -f web/1\n",
	.opts = table,
	.opts_size = sizeof(struct logs_opts),
	.min_args = 1,
	.max_args = 1,
	.run = run,
};
