/* SPDX-License-Identifier: Apache-2.0 */
/*
 * monitor.h - the supervisor of one sandbox: its parts, for monitor.c, session.c and request.c
 */
#ifndef SB_SANDBOX_MONITOR_H
#define SB_SANDBOX_MONITOR_H

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include "runtime/base/err.h"
#include "runtime/sandbox/sandbox.h"

#define SB_SESSIONS_MAX 256        /* at once; ended ones are files */
#define SB_CLIENTS_MAX  256        /* connections at once */
#define SB_REQUEST_MAX  (2 << 20)  /* arguments and environment: execve(2), "Limits" */
#define SB_LOG_MAX      (16 << 20) /* bytes kept of each output stream of a session */

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
 * struct sb_log - one output stream of a background session on its way to a file
 * @pipe_fd:	where it comes from; -1 once it has ended
 * @file_fd:	the log
 * @size:	bytes written since the start; older ones than SB_LOG_MAX are dropped from the file,
 *		whose offsets stay valid
 */
struct sb_log {
	int pipe_fd;
	int file_fd;
	uint64_t size;
};

/**
 * struct sb_session - one program run in the sandbox (exec)
 * @id:		1, 2, …; 0 = the slot is free
 * @proc:	its first process
 * @leaf_fd:	cgroup2 leaf of its process tree
 * @client:	slot of the client that it dies with; -1 in the background
 * @master_fd:	terminal, until it is handed to the client; -1 without one
 * @logs:	standard output and error of a background session
 * @info:	what its record says about it, owned
 * @started_ms:	monotonic clock
 * @deadline_ms: when its time is up; 0 = never
 * @oom_kills:	count of the sandbox when it started
 * @is_started:	its program runs, or could not be started
 * @is_ended:	its first process has ended; only its logs may still be open
 * @is_timed_out: killed because its time was up
 * @failure:	why its program could not be started; code 0 if it could
 */
struct sb_session {
	int id;
	struct sb_process proc;
	int leaf_fd;
	int client;
	int master_fd;
	struct sb_log logs[2];
	json_t *info;
	uint64_t started_ms;
	uint64_t deadline_ms;
	int64_t oom_kills;
	bool is_started;
	bool is_ended;
	bool is_timed_out;
	struct sb_err failure;
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
 * @last_session: number of the newest one
 * @ending:	how far the end has come
 * @kill_at_ms:	end of the grace period, monotonic
 * @stop_at_ms:	end of the lifetime, monotonic; 0 = never
 * @last_reply:	what the creator is told after everything was removed (run --rm), owned
 */
struct sb_monitor {
	struct sb_sandbox *sb;
	int epoll_fd;
	int signal_fd;
	struct sb_client clients[SB_CLIENTS_MAX];
	struct sb_session sessions[SB_SESSIONS_MAX];
	int last_session;
	enum sb_ending ending;
	uint64_t kill_at_ms;
	uint64_t stop_at_ms;
	json_t *last_reply;
};

/* monitor.c */
int sb_monitor_watch(struct sb_monitor *m, int fd, enum sb_event event, int slot);
void sb_monitor_stop(struct sb_monitor *m, uint64_t grace_ms);

/* session.c */
int sb_session_start(struct sb_monitor *m, const json_t *request, const int *fds, size_t n_fds,
		     int client, struct sb_err *err);
struct sb_session *sb_session_find(struct sb_monitor *m, int id);
void sb_session_kill(struct sb_session *s);
void sb_session_on_sync(struct sb_monitor *m, struct sb_session *s);
void sb_session_on_exit(struct sb_monitor *m, struct sb_session *s);
void sb_session_on_output(struct sb_session *s, int stream);
void sb_session_on_client_gone(struct sb_monitor *m, int client);
bool sb_session_any(const struct sb_monitor *m);

/* request.c */
void sb_request_accept(struct sb_monitor *m);
int sb_request_add_client(struct sb_monitor *m, int fd);
void sb_request_handle(struct sb_monitor *m, int client);
void sb_request_reply(struct sb_monitor *m, int client, json_t *reply, const int *fd);
void sb_request_notify(struct sb_monitor *m, int waits_for, const json_t *reply);
json_t *sb_error_json(const struct sb_err *err);

#endif /* SB_SANDBOX_MONITOR_H */
