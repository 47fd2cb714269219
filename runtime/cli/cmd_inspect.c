/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_inspect.c - sbrun inspect */
#include <dirent.h>
#include <stdlib.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/err.h"
#include "runtime/base/json.h"
#include "runtime/base/num.h"
#include "runtime/base/path.h"
#include "runtime/cli/cli.h"
#include "runtime/sandbox/record.h"

static int by_number(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

/* Numbers of all sessions that a sandbox has had, in order; returns how many. */
static size_t list_execs(const struct sb_cli *cli, const char *id, int **ret)
{
	_cleanup_dir_ DIR *dir = sb_opendir_at(cli->home.run_fd, id);
	struct dirent *e;
	int *v = NULL;
	size_t n = 0;

	while (dir && (e = readdir(dir))) {
		uint64_t exec;
		int *grown = sb_parse_within(e->d_name, SB_EXEC_RECORD, ".json", &exec) == 0
				     ? realloc(v, (n + 1) * sizeof(*v))
				     : NULL;

		if (!grown)
			continue;
		v = grown;
		v[n++] = (int)exec;
	}
	if (n)
		qsort(v, n, sizeof(*v), by_number);
	*ret = v;
	return n;
}

static int inspect(struct sb_cli *cli, const char *text, json_t **ret, struct sb_err *err)
{
	_cleanup_record_ struct sb_record rec = SB_RECORD_INIT;
	_cleanup_free_ int *execs = NULL;
	char id[SB_ID_LEN];
	json_t *list;
	size_t n;
	int exec = 0;

	if (sb_target(cli, text, id, &exec, err) < 0)
		return -err->code;
	if (exec)
		return sb_record_load_exec(&cli->home, id, exec, ret, err);
	if (sb_record_load(&cli->home, id, &rec, err) < 0)
		return -err->code;
	*ret = sb_record_json(&cli->home, &rec);
	list = json_array();
	n = list_execs(cli, id, &execs);
	for (size_t i = 0; i < n; i++) {
		json_t *o = NULL;

		if (sb_record_load_exec(&cli->home, id, execs[i], &o, err) == 0)
			(void)json_array_append_new(list, o);
	}
	(void)json_object_set_new(*ret, "execs", list);
	return 0;
}

static int run(struct sb_cli *cli, void *opts, int argc, const char *argv[], struct sb_err *err)
{
	json_t *list = json_array();

	(void)opts;
	for (int i = 0; i < argc; i++) {
		json_t *o = NULL;

		if (inspect(cli, argv[i], &o, err) < 0) {
			json_decref(list);
			return -err->code;
		}
		(void)json_array_append_new(list, o);
	}
	if (argc > 1) {
		sb_out_json(list);
	} else {
		sb_out_json(json_incref(json_array_get(list, 0)));
		json_decref(list);
	}
	return 0;
}

const struct sb_cmd sb_cmd_inspect = {
	.name = "inspect",
	.args = "ID[/EXEC]…",
	.summary = "show all that is known about a sandbox or a session, as JSON",
	.text = "One argument gives one object, several give a list.\n\n"
		"Example:\n"
		"  sbrun inspect web | python3 -c 'import json,sys; "
		"print(json.load(sys.stdin)[\"address\"])'\n",
	.min_args = 1,
	.max_args = -1,
	.collects = true,
	.run = run,
};
