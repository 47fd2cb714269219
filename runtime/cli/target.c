/* SPDX-License-Identifier: Apache-2.0 */
/* target.c - which sandbox or session a word on the command line means: ID, NAME, ID/EXEC */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "runtime/base/err.h"
#include "runtime/base/log.h"
#include "runtime/base/num.h"
#include "runtime/cli/cli.h"
#include "runtime/sandbox/record.h"

/**
 * sb_target() - Find what a word means
 * @cli:	call
 * @text:	"ID" or "ID/EXEC", where ID may be a name or the unique beginning of an id
 * @ret_id:	id of the sandbox
 * @ret_exec:	number of the session, 0 without one; NULL if only a sandbox is accepted
 *
 * Return: 0, or a negative errno value
 */
int sb_target(const struct sb_cli *cli, const char *text, char ret_id[SB_ID_LEN], int *ret_exec,
	      struct sb_err *err)
{
	const char *slash = strchr(text, '/');
	char word[SB_NAME_LEN + 1];
	uint64_t exec = 0;

	snprintf(word, sizeof(word), "%.*s", slash ? (int)(slash - text) : SB_NAME_LEN, text);
	if (slash && !ret_exec)
		return sb_err_refuse(err, EINVAL, "'%s': a sandbox is needed, not a session", text);
	if (slash && (sb_parse_u64(slash + 1, INT32_MAX, &exec) < 0 || exec == 0))
		return sb_err_refuse(err, EINVAL, "'%s' is no session: they are ID/1, ID/2, …",
				     text);
	if (sb_home_resolve(&cli->home, word, ret_id, err) < 0)
		return -err->code;
	if (ret_exec)
		*ret_exec = (int)exec;
	return 0;
}

/**
 * sb_target_running() - Load the record of a sandbox that must be running
 * @cli:	call
 * @text:	word that means it
 * @ret:	its record; the caller releases it
 *
 * Return: 0, or a negative errno value (-ENOTCONN: it is not running)
 */
int sb_target_running(const struct sb_cli *cli, const char *text, struct sb_record *ret,
		      struct sb_err *err)
{
	char id[SB_ID_LEN];

	if (sb_target(cli, text, id, NULL, err) < 0)
		return -err->code;
	if (!sb_home_is_alive(&cli->home, id))
		return sb_err_refuse(err, ENOTCONN, "sandbox '%s' is not running", text);
	return sb_record_load(&cli->home, id, ret, err);
}

/**
 * sb_target_each() - Do something for every word, in order, whatever happens to the others
 * @cli:	call
 * @argc:	number of words
 * @argv:	words: sandboxes or sessions
 * @fn:		does it for one
 * @arg:	handed to @fn
 * @err:	the last failure; earlier ones have been written to standard error
 *
 * Prints each word that succeeded, or with JSON the list of them.
 *
 * Return: 0, or the negative errno value of the last failure
 */
int sb_target_each(struct sb_cli *cli, int argc, const char *argv[],
		   int (*fn)(struct sb_cli *cli, const char *id, int exec, void *arg,
			     struct sb_err *err),
		   void *arg, struct sb_err *err)
{
	json_t *done = json_array();
	bool failed = false;

	for (int i = 0; i < argc; i++) {
		struct sb_err e = SB_ERR_INIT;
		char id[SB_ID_LEN], text[SB_ERR_MSG_MAX + SB_ERR_HINT_MAX];
		int exec = 0;

		if (sb_target(cli, argv[i], id, &exec, &e) == 0 &&
		    fn(cli, id, exec, arg, &e) >= 0) {
			if (cli->json)
				(void)json_array_append_new(done, json_string(argv[i]));
			else
				puts(argv[i]);
			continue;
		}
		if (failed) /* standard output is one JSON value at most: for the last failure */
			sb_log(SB_LOG_ERROR, "%s", sb_err_text(err, text, sizeof(text)));
		*err = e;
		failed = true;
	}
	if (cli->json && !failed)
		sb_out_json(json_incref(done));
	json_decref(done);
	return failed ? -err->code : 0;
}
