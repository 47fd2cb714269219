/* SPDX-License-Identifier: Apache-2.0 */
/*
 * monitor.h - the supervisor of one sandbox: the loop and the connections
 */
#ifndef SB_SANDBOX_MONITOR_H
#define SB_SANDBOX_MONITOR_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/resource.h>

#include <jansson.h>

#include "runtime/sandbox/sandbox.h"
#include "runtime/sandbox/session.h"

#define SB_SESSIONS_MAX 256       /* at once; ended ones are files */
#define SB_CLIENTS_MAX  256       /* connections at once */
#define SB_REQUEST_MAX  (2 << 20) /* arguments and environment: execve(2), "Limits" */

/* What an epoll event is about; the slot is in the low 32 bits of its data. */
enum sb_event {
	SB_EVENT_LISTEN,
	SB_EVENT_SIGNAL,
	SB_EVENT_INIT,   /* process 1 has ended */
	SB_EVENT_CLIENT, /* slot of clients[] */
	SB_EVENT_SYNC,   /* slot of sessions[]: its program runs, or could not be started */
	SB_EVENT_EXIT,   /* likewise: its first process has ended */
	SB_EVENT_STDOUT, /* likewise: output to be logged */
	SB_EVENT_STDERR,
};

/**
 * struct sb_client - one connection to the control socket
 * @fd:		socket; -1 = the slot is free
 * @waits_for:	session whose end it waits for; 0 = none, -1 = the end of the sandbox
 */
struct sb_client {
	int fd;
	int waits_for;
};

/* How far the end of the sandbox has come. */
enum sb_ending {
	SB_ENDING_NONE,
	SB_ENDING_ASKED,  /* SIGTERM was sent, the grace period runs */
	SB_ENDING_KILLED, /* everything was killed; waiting for the kernel */
};

/**
 * struct sb_monitor - the supervisor
 * @sb:		its sandbox
 * @epoll_fd:	everything it waits for
 * @signal_fd:	SIGTERM and SIGINT
 * @clients:	connections; the creator's is the first
 * @sessions:	running sessions
 * @n_slots:	how many of them were ever used: the rest of that memory is never touched
 * @last_session: number of the newest one
 * @has_main:	the session that `run` has made the sandbox for was started
 * @nofile:	how many files programs may open: the creator's limit
 * @prune_at_ms: when to look again for leaves of ended sessions that have become empty; 0 = when
 *		the next session ends
 * @prune_pause_ms: how long after that the next time; 0 = no leaf is left behind
 * @ending:	how far the end has come
 * @kill_at_ms:	end of the grace period, monotonic
 * @stop_at_ms:	end of the lifetime, monotonic; 0 = never
 * @last_reply:	what the creator is told when the sandbox has ended (run), owned
 */
struct sb_monitor {
	struct sb_sandbox *sb;
	int epoll_fd;
	int signal_fd;
	struct sb_client clients[SB_CLIENTS_MAX];
	struct sb_session sessions[SB_SESSIONS_MAX];
	int n_slots;
	int last_session;
	bool has_main;
	struct rlimit nofile;
	uint64_t prune_at_ms;
	uint64_t prune_pause_ms;
	enum sb_ending ending;
	uint64_t kill_at_ms;
	uint64_t stop_at_ms;
	json_t *last_reply;
};

/* monitor.c */
int sb_monitor_watch(struct sb_monitor *m, int fd, enum sb_event event, int slot);
void sb_monitor_stop(struct sb_monitor *m, uint64_t grace_ms);

/* request.c */
void sb_request_accept(struct sb_monitor *m);
int sb_request_add_client(struct sb_monitor *m, int fd);
void sb_request_handle(struct sb_monitor *m, int client);
void sb_request_reply(struct sb_monitor *m, int client, json_t *reply, const int *fd);
void sb_request_notify(struct sb_monitor *m, int waits_for, const json_t *reply);

#endif /* SB_SANDBOX_MONITOR_H */
