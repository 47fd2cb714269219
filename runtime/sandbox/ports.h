/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ports.h - what listens in a sandbox, who does, and whether it can be reached
 */
#ifndef SB_SANDBOX_PORTS_H
#define SB_SANDBOX_PORTS_H

#include <stdint.h>

#include "net/net.h"
#include "runtime/sandbox/record.h"

struct sb_err;
struct sb_home;

/**
 * struct sb_port - one listening socket
 * @listener:	the socket
 * @reach:	whether it can be reached at the sandbox's address
 * @advice:	what that means, in one sentence
 * @exec:	session that its process belongs to; 0 if unknown
 * @host_pid:	process that holds it, as the host sees it; 0 if unknown
 * @pid:	the same process as the sandbox sees it
 * @command:	its name
 */
struct sb_port {
	struct sb_listener listener;
	enum sb_reach reach;
	char advice[SB_NET_ADVICE_LEN];
	int exec;
	pid_t host_pid;
	pid_t pid;
	char command[16];
};

/**
 * struct sb_wait - what to wait for
 * @id:		sandbox
 * @exec:	session on which the port depends; 0 = the first session of `run`, if there is one
 * @port:	TCP port
 * @timeout_ms:	how long; 0 = for ever
 */
struct sb_wait {
	const char *id;
	int exec;
	uint16_t port;
	uint64_t timeout_ms;
};

int sb_ports(const struct sb_home *home, const struct sb_record *rec, struct sb_port **ret,
	     size_t *ret_n, struct sb_err *err);
int sb_ports_wait(const struct sb_home *home, const struct sb_wait *w, struct sb_port *ret,
		  struct sb_err *err);

#endif /* SB_SANDBOX_PORTS_H */
