/* SPDX-License-Identifier: Apache-2.0 */
/*
 * session.h - programs run in a sandbox, as its monitor sees them
 */
#ifndef SB_SANDBOX_SESSION_H
#define SB_SANDBOX_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "runtime/base/err.h"
#include "runtime/container/process.h"

struct sb_monitor;

#define SB_LOG_MAX (16 << 20) /* bytes kept of each output stream of a session */

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
 * @is_killed:	by us, on request or with its client
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
	bool is_killed;
	struct sb_err failure;
};

/* Whether a slot has a program that has not ended. */
static inline bool sb_session_is_alive(const struct sb_session *s)
{
	return s->id && !s->is_ended;
}

/* session_start.c */
int sb_session_start(struct sb_monitor *m, const json_t *request, const int *fds, size_t n_fds,
		     int client, struct sb_err *err);

/* session.c */
struct sb_session *sb_session_find(struct sb_monitor *m, int id);
void sb_session_kill(struct sb_session *s);
void sb_session_signal_all(struct sb_monitor *m, int sig);
void sb_session_on_sync(struct sb_monitor *m, struct sb_session *s);
void sb_session_on_exit(struct sb_monitor *m, struct sb_session *s);
void sb_session_on_output(struct sb_session *s, int stream);
void sb_session_on_client_gone(struct sb_monitor *m, int client);
bool sb_session_any(const struct sb_monitor *m);
void sb_session_prune(struct sb_monitor *m);
void sb_session_release(struct sb_session *s);
void sb_session_set_time(struct sb_session *s, const char *key);

#endif /* SB_SANDBOX_SESSION_H */
