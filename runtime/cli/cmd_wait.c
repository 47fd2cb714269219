/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_wait.c - sbrun wait */
#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/err.h"
#include "runtime/base/json.h"
#include "runtime/cli/cli.h"
#include "runtime/cli/port_json.h"
#include "runtime/sandbox/client.h"
#include "runtime/sandbox/record.h"

/**
 * struct wait_opts - options of wait
 * @port:	wait for this TCP port; 0 = for the end
 * @timeout_ms:	how long; 0 = for ever
 */
struct wait_opts {
	uint16_t port;
	uint64_t timeout_ms;
};

#define OPT(field) offsetof(struct wait_opts, field)
static const struct sb_opt table[] = {
	{ "port", 'p', SB_OPT_PORT, OPT(port), "N", "wait until this TCP port can be reached" },
	{ "timeout", 0, SB_OPT_DURATION, OPT(timeout_ms), "D",
	  "give up after that time (exit code 124)" },
	{ .name = NULL },
};

static int wait_port(struct sb_cli *cli, const struct wait_opts *o, const char *id, int exec,
		     struct sb_err *err)
{
	const struct sb_wait w = {
		.id = id, .exec = exec, .port = o->port, .timeout_ms = o->timeout_ms
	};
	struct sb_port port = { .exec = 0 };

	if (sb_ports_wait(&cli->home, &w, &port, err) < 0)
		return -err->code;
	if (cli->json)
		sb_out_json(sb_port_json(&port));
	return 0;
}

/* How a sandbox or session has ended that is not running any more. */
static int ended(struct sb_cli *cli, const char *id, int exec, json_t **ret, struct sb_err *err)
{
	_cleanup_record_ struct sb_record rec = SB_RECORD_INIT;
	_cleanup_json_ json_t *session = NULL;

	if (sb_record_load(&cli->home, id, &rec, err) < 0 ||
	    (exec && sb_record_load_exec(&cli->home, id, exec, &session, err) < 0))
		return -err->code;
	/* What had ended before is known all the same. */
	if (sb_record_is_dead(&cli->home, &rec) && !json_object_get(session, "exitCode"))
		return sb_err_refuse(err, ESRCH, "sandbox '%s' died with its monitor", id);
	*ret = exec ? sb_steal_ptr(&session) : sb_record_json(&cli->home, &rec);
	return 0;
}

/* Wait for the end and get its record: {"exited": …} of a session, {"stopped": …} of a sandbox. */
static int wait_end(struct sb_cli *cli, const struct wait_opts *o, const char *id, int exec,
		    json_t **ret, struct sb_err *err)
{
	_cleanup_fd_ int conn = sb_client_connect(&cli->home, id, err);
	_cleanup_json_ json_t *reply = NULL;
	struct pollfd p = { .fd = conn, .events = POLLIN };
	int timeout = o->timeout_ms == 0          ? -1
		      : o->timeout_ms > INT32_MAX ? INT32_MAX
						  : (int)o->timeout_ms;

	if (conn == -ENOTCONN)
		return ended(cli, id, exec, ret, err);
	if (conn < 0 || sb_client_send(conn, json_pack("{s:s, s:i}", "op", "wait", "exec", exec),
				       NULL, 0, err) < 0)
		return -err->code;
	if (poll(&p, 1, timeout) == 0) {
		sb_err_refuse(err, ETIMEDOUT, "'%s' has not ended", id);
		err->exit_code = SB_EXIT_TIMEOUT;
		return -err->code;
	}
	if (sb_client_recv(conn, &reply, NULL, err) < 0) {
		if (err->code != EPIPE)
			return -err->code;
		(void)sb_client_gone(&cli->home, id, err);
		return ended(cli, id, exec, ret, err);
	}
	*ret = json_incref(json_object_get(reply, exec ? "exited" : "stopped"));
	return *ret ? 0 : sb_err_refuse(err, EPROTO, "the monitor gave another answer");
}

static int run(struct sb_cli *cli, void *opts, int argc, const char *argv[], struct sb_err *err)
{
	_cleanup_json_ json_t *record = NULL;
	const struct wait_opts *o = opts;
	const json_t *code;
	char id[SB_ID_LEN];
	int exec;

	(void)argc;
	if (sb_target(cli, argv[0], id, &exec, err) < 0)
		return -err->code;
	if (o->port)
		return wait_port(cli, o, id, exec, err);
	if (wait_end(cli, o, id, exec, &record, err) < 0)
		return -err->code;
	if (cli->json) {
		sb_out_json(json_incref(record));
		return 0;
	}
	code = json_object_get(record, "exitCode");
	if (json_is_integer(code) && json_integer_value(code) >= 0)
		printf("%d\n", (int)json_integer_value(code));
	return 0;
}

const struct sb_cmd sb_cmd_wait = {
	.name = "wait",
	.args = "ID[/EXEC]",
	.summary = "wait until a port can be reached, or for the end",
	.text = "With --port: returns when the port can be reached at the sandbox's address; at "
		"once, with\n"
		"exit code 1, when the session it depends on has ended; with exit code 124 and the "
		"reason\n"
		"when the time is up. ID/EXEC depends on that session, ID on the one of 'sbrun "
		"run'.\n"
		"Without --port: waits for the end and prints the exit code.\n\n"
		"Example:\n"
		"  exec=$(sbrun exec -d web python3 server.py) && sbrun wait $exec --port 5000 "
		"--timeout 30s\n",
	.opts = table,
	.opts_size = sizeof(struct wait_opts),
	.min_args = 1,
	.max_args = 1,
	.run = run,
};
