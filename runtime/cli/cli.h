/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli.h - what every command is, and what every command uses
 */
#ifndef SB_CLI_CLI_H
#define SB_CLI_CLI_H

#include <stdbool.h>

#include <jansson.h>

#include "runtime/cli/opts.h"
#include "runtime/sandbox/home.h"

struct sb_attach;
struct sb_err;
struct sb_record;

/* Exit codes of sbrun itself: docker-run(1), "Exit Status"; 124 as timeout(1). A command run in a
 * sandbox adds its own, 126 (cannot be executed), 127 (not found) and 128+n (killed by signal n).
 */
#define SB_EXIT_TIMEOUT 124
#define SB_EXIT_FAILED  125

/**
 * struct sb_cli - one call of sbrun
 * @json:	results and errors as JSON on standard output
 * @debug:	debug messages
 * @help:	print the help instead
 * @version:	run the command "version" instead
 * @store_path:	where images and writable layers are
 * @run_path:	where the state of sandboxes is
 * @home:	both, open
 * @title:	where the kernel keeps our command line, for all to see
 * @title_len:	its length
 */
struct sb_cli {
	bool json;
	bool debug;
	bool help;
	bool version;
	const char *store_path;
	const char *run_path;
	struct sb_home home;
	char *title;
	size_t title_len;
};

/**
 * struct sb_cmd - one command
 * @name:	its name
 * @args:	its arguments in the help
 * @summary:	one line, without a full stop
 * @text:	more about it, with examples; NULL for nothing
 * @opts:	its options; NULL for none
 * @defaults:	initial value of its options struct; NULL if it has none
 * @opts_size:	size of that struct
 * @options_first: what follows the first argument is a command for the sandbox
 * @min_args:	least number of arguments
 * @max_args:	greatest; -1 = any
 * @collects:	it first removes what killed monitors have left
 * @inherits:	it may be given descriptors of our caller (/dev/fd/N)
 * @subs:	commands below it, NULL at the end, one of which the next word must be; their
 *		names have its own in front. NULL: it has none, and @run does the work
 * @no_home:	it works without root and without the state directories
 * @run:	does it; @opts is the filled struct. Returns an exit code, or a negative errno value
 *		with the error filled in
 * @done:	frees what the options struct holds; NULL if nothing
 */
struct sb_cmd {
	const char *name;
	const char *args;
	const char *summary;
	const char *text;
	const struct sb_opt *opts;
	const void *defaults;
	size_t opts_size;
	bool options_first;
	int min_args;
	int max_args;
	bool collects;
	bool inherits;
	bool no_home;
	const struct sb_cmd *const *subs;
	int (*run)(struct sb_cli *cli, void *opts, int argc, const char *argv[],
		   struct sb_err *err);
	void (*done)(void *opts);
};

extern const struct sb_cmd sb_cmd_create, sb_cmd_exec, sb_cmd_files, sb_cmd_gc, sb_cmd_image,
	sb_cmd_image_df, sb_cmd_image_history, sb_cmd_image_inspect, sb_cmd_image_ls, sb_cmd_images,
	sb_cmd_info, sb_cmd_inspect, sb_cmd_kill, sb_cmd_load, sb_cmd_login, sb_cmd_logout,
	sb_cmd_logs, sb_cmd_ports, sb_cmd_ps, sb_cmd_pull, sb_cmd_rm, sb_cmd_run, sb_cmd_save,
	sb_cmd_stop, sb_cmd_version, sb_cmd_wait;

/* target.c */
int sb_target(const struct sb_cli *cli, const char *text, char ret_id[SB_ID_LEN], int *ret_exec,
	      struct sb_err *err);
int sb_target_running(const struct sb_cli *cli, const char *text, struct sb_record *ret,
		      struct sb_err *err);
int sb_target_each(struct sb_cli *cli, int argc, const char *argv[],
		   int (*fn)(struct sb_cli *cli, const char *id, int exec, void *arg,
			     struct sb_err *err),
		   void *arg, struct sb_err *err);

/* out.c */
void sb_out_json(json_t *value);
void sb_out_error(const struct sb_cli *cli, const char *command, const struct sb_err *err);
int sb_out_partial(const struct sb_cli *cli, json_t *value, const struct sb_err *err);
void sb_out_row(const char *const cells[], const int widths[], size_t n);
const char *sb_out_age(int64_t wall_ms, char *buf, size_t size);
const char *sb_out_bytes(uint64_t bytes, char *buf, size_t size);
json_t *sb_out_base64(const char *data, size_t len, json_t *obj, const char *key);

/* session.c */
json_t *sb_session_request(const char *const argv[], int argc, struct sb_err *err);
int sb_session_run(const struct sb_cli *cli, int conn, json_t *request, const struct sb_attach *how,
		   json_t **ret, struct sb_err *err);

#endif /* SB_CLI_CLI_H */
