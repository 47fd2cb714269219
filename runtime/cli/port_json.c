/* SPDX-License-Identifier: Apache-2.0 */
/* port_json.c - listening sockets as `ports` and `wait` show them */
#include "runtime/cli/port_json.h"

#include <sys/socket.h>

static json_t *number_or_null(int n)
{
	return n ? json_integer(n) : json_null();
}

/**
 * sb_port_json() - A listening socket as JSON
 * @p:		socket
 *
 * Return: an object that the caller drops, or NULL without memory
 */
json_t *sb_port_json(const struct sb_port *p)
{
	char addr[INET6_ADDRSTRLEN];

	return json_pack("{s:s, s:s, s:i, s:s, s:b, s:o, s:o, s:o, s:s, s:s, s:s}", "proto",
			 sb_proto_name(p->listener.proto), "address",
			 sb_listener_address(&p->listener, addr), "port", p->listener.port,
			 "family", p->listener.family == AF_INET ? "ipv4" : "ipv6", "v6only",
			 p->listener.v6only, "exec", number_or_null(p->exec), "pid",
			 number_or_null(p->pid), "hostPid", number_or_null(p->host_pid), "command",
			 p->command, "reach", sb_reach_name(p->reach), "advice", p->advice);
}
