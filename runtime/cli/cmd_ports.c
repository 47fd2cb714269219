/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_ports.c - sbrun ports */
#include <arpa/inet.h>
#include <stdio.h>
#include <sys/socket.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/err.h"
#include "runtime/cli/cli.h"
#include "runtime/cli/port_json.h"
#include "runtime/sandbox/record.h"

static void print_table(const struct sb_port *ports, size_t n)
{
	static const int widths[] = { 5, 32, 6, 5, 7, 15, 0 };
	static const char *const head[] = { "PROTO", "ADDRESS", "PORT", "EXEC",
					    "PID",   "COMMAND", "REACH" };

	sb_out_row(head, widths, SB_ARRAY_SIZE(head));
	for (size_t i = 0; i < n; i++) {
		const struct sb_port *p = &ports[i];
		char addr[INET6_ADDRSTRLEN], port[8], exec[12], pid[12],
			reach[SB_NET_ADVICE_LEN + 32];
		const char *cells[] = {
			sb_proto_name(p->listener.proto), addr, port, exec, pid, p->command, reach
		};

		(void)sb_listener_address(&p->listener, addr);
		snprintf(port, sizeof(port), "%u", p->listener.port);
		snprintf(exec, sizeof(exec), p->exec ? "%d" : "-", p->exec);
		snprintf(pid, sizeof(pid), p->pid ? "%d" : "-", p->pid);
		snprintf(reach, sizeof(reach), "%s%s%s", sb_reach_name(p->reach),
			 p->reach == SB_REACH_OK ? "" : ": ",
			 p->reach == SB_REACH_OK ? "" : p->advice);
		sb_out_row(cells, widths, SB_ARRAY_SIZE(cells));
	}
}

static int run(struct sb_cli *cli, void *opts, int argc, const char *argv[], struct sb_err *err)
{
	_cleanup_record_ struct sb_record rec = SB_RECORD_INIT;
	_cleanup_free_ struct sb_port *ports = NULL;
	json_t *list;
	size_t n;

	(void)opts;
	(void)argc;
	if (sb_target_running(cli, argv[0], &rec, err) < 0 ||
	    sb_ports(&cli->home, &rec, &ports, &n, err) < 0)
		return -err->code;
	if (!cli->json) {
		print_table(ports, n);
		return 0;
	}
	list = json_array();
	for (size_t i = 0; i < n; i++)
		(void)json_array_append_new(list, sb_port_json(&ports[i]));
	sb_out_json(list);
	return 0;
}

const struct sb_cmd sb_cmd_ports = {
	.name = "ports",
	.args = "ID",
	.summary = "list what listens in a sandbox, and whether it can be reached",
	.text = "TCP sockets that listen and UDP sockets that are bound, with the process and the "
		"session\n"
		"they belong to. A server that cannot be reached is explained: it must bind to "
		"'::'.\n",
	.min_args = 1,
	.max_args = 1,
	.run = run,
};
