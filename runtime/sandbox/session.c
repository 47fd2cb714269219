/* SPDX-License-Identifier: Apache-2.0 */
/*
 * session.c - programs run in a sandbox, as its monitor sees them
 *
 * DOC: Theory of operation
 *
 * A session has a number, a cgroup2 leaf of its own (so that killing it kills its whole tree), and
 * a record exec-<n>.json that outlives everything but the sandbox's removal. In the foreground its
 * standard streams are the client's own descriptors, and it dies with the client's connection. In
 * the background they are pipes that the monitor reads into log files; it always reads, so such a
 * session never waits for anybody. Processes that a session leaves behind stay in its leaf; a leaf
 * that is empty is removed when a session ends.
 */
#include "runtime/sandbox/session.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/json.h"
#include "runtime/base/log.h"
#include "runtime/base/sys.h"
#include "runtime/container/sync.h"
#include "runtime/sandbox/monitor.h"

/**
 * sb_session_set_time() - Put the present time into the record of a session
 * @s:		session
 * @key:	"startedAt" or "endedAt"
 */
void sb_session_set_time(struct sb_session *s, const char *key)
{
	char text[SB_TIME_LEN];

	(void)json_object_set_new(s->info, key, json_string(sb_time_format(sb_wall_ms(), text)));
}

static void save(struct sb_monitor *m, const struct sb_session *s)
{
	struct sb_err err = SB_ERR_INIT;
	char name[32];

	snprintf(name, sizeof(name), SB_EXEC_RECORD "%d.json", s->id);
	if (sb_json_save_at(m->sb->state_fd, name, s->info, &err) < 0)
		sb_warn("record session %d: %s: %s", s->id, err.msg, strerror(err.code));
}

/**
 * sb_session_release() - Close what a session holds and free its slot
 * @s:		session, also half-started
 */
void sb_session_release(struct sb_session *s)
{
	sb_process_close(&s->proc);
	sb_close_fd(&s->leaf_fd);
	for (int i = 0; i < 2; i++) {
		if (s->logs[i].pipe_fd != s->master_fd)
			sb_close_fd(&s->logs[i].pipe_fd);
		sb_close_fd(&s->logs[i].file_fd);
	}
	sb_close_fd(&s->master_fd);
	json_decref(s->info);
	*s = (struct sb_session){ .id = 0 };
}

/**
 * sb_session_find() - Look a living session up
 * @m:		monitor
 * @id:		its number
 *
 * Return: the session, or NULL
 */
struct sb_session *sb_session_find(struct sb_monitor *m, int id)
{
	for (int i = 0; i < m->n_slots; i++)
		if (m->sessions[i].id == id && sb_session_is_alive(&m->sessions[i]))
			return &m->sessions[i];
	return NULL;
}

/**
 * sb_session_any() - Whether a session is alive
 * @m:		monitor
 *
 * Return: true if so
 */
bool sb_session_any(const struct sb_monitor *m)
{
	for (int i = 0; i < m->n_slots; i++)
		if (sb_session_is_alive(&m->sessions[i]))
			return true;
	return false;
}

/**
 * sb_session_signal_all() - Signal the first process of every living session
 * @m:		monitor
 * @sig:	signal number
 */
void sb_session_signal_all(struct sb_monitor *m, int sig)
{
	for (int i = 0; i < m->n_slots; i++)
		if (sb_session_is_alive(&m->sessions[i]))
			(void)sb_pidfd_send_signal(m->sessions[i].proc.pidfd, sig);
}

/**
 * sb_session_kill() - Kill the whole process tree of a session
 * @s:		session
 */
void sb_session_kill(struct sb_session *s)
{
	s->is_killed = true;
	if (sb_cgroup_kill(s->leaf_fd) < 0)
		(void)sb_pidfd_send_signal(s->proc.pidfd, SIGKILL);
}

static bool is_background(const struct sb_session *s)
{
	return json_is_true(json_object_get(s->info, "background"));
}

/**
 * sb_session_on_client_gone() - A client has disconnected
 * @m:		monitor
 * @client:	its slot
 *
 * Its foreground sessions die with it: nobody could stop them any more.
 */
void sb_session_on_client_gone(struct sb_monitor *m, int client)
{
	for (int i = 0; i < m->n_slots; i++) {
		struct sb_session *s = &m->sessions[i];

		if (!s->id || s->client != client)
			continue;
		s->client = -1;
		if (!s->is_ended && !is_background(s))
			sb_session_kill(s);
	}
}

/**
 * sb_session_on_sync() - The program runs, or could not be started
 * @m:		monitor
 * @s:		session whose sync socket is readable
 */
void sb_session_on_sync(struct sb_monitor *m, struct sb_session *s)
{
	struct pollfd p = { .fd = s->proc.sync_fd, .events = POLLIN };
	_cleanup_json_ json_t *reply = NULL;

	if (poll(&p, 1, 0) != 1)
		return; /* the event was of an earlier session in this slot */
	s->is_started = true;
	if (sb_sync_result(s->proc.sync_fd, &s->failure) < 0) {
		sb_close_fd(&s->proc.sync_fd);
		return; /* it is exiting: sb_session_on_exit() tells */
	}
	sb_close_fd(&s->proc.sync_fd);
	save(m, s);
	if (s->client < 0)
		return;
	reply = json_pack("{s:O}", "started", s->info);
	if (s->master_fd >= 0 && !is_background(s)) {
		sb_request_reply(m, s->client, reply, &s->master_fd);
		sb_close_fd(&s->master_fd);
	} else {
		sb_request_reply(m, s->client, reply, NULL);
	}
	if (is_background(s))
		s->client = -1;
}

/* Drop the oldest bytes beyond the bound; offsets in the file stay valid. */
static void bound_log(const struct sb_log *log)
{
	if (log->size > SB_LOG_MAX)
		(void)fallocate(log->file_fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0,
				(off_t)(log->size - SB_LOG_MAX));
}

/**
 * sb_session_on_output() - Move output that is there to its log
 * @s:		session
 * @stream:	0 for standard output, 1 for standard error
 */
void sb_session_on_output(struct sb_session *s, int stream)
{
	static char buf[64 << 10]; /* a pipe's worth */
	struct sb_log *log = &s->logs[stream];
	ssize_t n;

	if (log->pipe_fd < 0)
		return;
	n = read(log->pipe_fd, buf, sizeof(buf));
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) { /* all writers are gone; of a terminal: EIO */
		if (log->pipe_fd == s->master_fd)
			s->master_fd = -1;
		sb_close_fd(&log->pipe_fd);
		if (s->is_ended && s->logs[0].pipe_fd < 0 && s->logs[1].pipe_fd < 0)
			sb_session_release(s);
		return;
	}
	/* Disk full: the session goes on; what cannot be kept is lost. */
	if (sb_write_all(log->file_fd, buf, (size_t)n) < 0)
		return;
	log->size += (uint64_t)n;
	if (log->size % (1 << 20) < (uint64_t)n) /* once a MiB is often enough */
		bound_log(log);
}

/* What the first process wrote before it ended must be in the log when its record is. */
static void drain(struct sb_session *s)
{
	/* A pipe holds 64 KiB (pipe(7)): one read(2) takes what was in it, a second one finds the
	 * end. Not until it is empty: processes left behind may write faster than we read. */
	for (int i = 0; i < 4; i++)
		sb_session_on_output(s, i / 2);
}

static const char *reason_of(struct sb_monitor *m, const struct sb_session *s, int status)
{
	if (s->failure.code)
		return "runtime_error";
	if (s->is_timed_out)
		return "timeout";
	if (!WIFSIGNALED(status))
		return "exited";
	if (m->ending != SB_ENDING_NONE)
		return "stopped";
	if (WTERMSIG(status) == SIGKILL && !s->is_killed &&
	    sb_cgroup_oom_kills(&m->sb->cgroup) > s->oom_kills)
		return "oom";
	return "signal";
}

static int exit_code_of(const struct sb_session *s, int status)
{
	if (s->failure.code)
		return s->failure.exit_code ? s->failure.exit_code : 125;
	if (s->is_timed_out)
		return 124; /* timeout(1) */
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static void complete_info(struct sb_monitor *m, struct sb_session *s, int status,
			  const struct rusage *usage)
{
	int64_t cpu_ms = (int64_t)(usage->ru_utime.tv_sec + usage->ru_stime.tv_sec) * 1000 +
			 (usage->ru_utime.tv_usec + usage->ru_stime.tv_usec) / 1000;
	const char *sig = WIFSIGNALED(status) ? sigabbrev_np(WTERMSIG(status)) : NULL;

	sb_session_set_time(s, "endedAt");
	(void)json_object_set_new(s->info, "state", json_string("exited"));
	(void)json_object_set_new(s->info, "pid", json_null());
	(void)json_object_set_new(s->info, "exitCode", json_integer(exit_code_of(s, status)));
	(void)json_object_set_new(s->info, "signal", sig ? json_string(sig) : json_null());
	(void)json_object_set_new(s->info, "reason", json_string(reason_of(m, s, status)));
	(void)json_object_set_new(s->info, "durationMs",
				  json_integer((json_int_t)(sb_now_ms() - s->started_ms)));
	(void)json_object_set_new(s->info, "cpuMs", json_integer(cpu_ms));
	(void)json_object_set_new(s->info, "maxRssBytes",
				  json_integer((json_int_t)usage->ru_maxrss * 1024));
}

/*
 * Tell the client of a session how it ended. The creator learns of its first session's end when the
 * sandbox has ended too: what it does next (rm, another run by the same name) must work.
 */
static void report(struct sb_monitor *m, struct sb_session *s)
{
	json_t *reply = s->failure.code ? sb_json_from_err(&s->failure)
					: json_pack("{s:O}", "exited", s->info);
	bool is_main = m->sb->rec.main_exec == s->id;

	if (s->client == 0 && is_main)
		m->last_reply = json_incref(reply);
	else if (s->client >= 0)
		sb_request_reply(m, s->client, reply, NULL);
	sb_request_notify(m, s->id, reply);
	json_decref(reply);
	s->client = -1;
}

/**
 * sb_session_prune() - Remove leaves of ended sessions that have become empty
 * @m:		monitor
 *
 * What was killed with a session takes a moment to die; what it left behind may live on. So look
 * again after 10, 20, 40 … ms, and after a second or so only when another session ends.
 */
void sb_session_prune(struct sb_monitor *m)
{
	size_t wanted = 1; /* that of process 1 */

	for (int i = 0; i < m->n_slots; i++)
		wanted += sb_session_is_alive(&m->sessions[i]);
	if (sb_cgroup_prune(&m->sb->cgroup) <= wanted) {
		m->prune_at_ms = m->prune_pause_ms = 0;
		return;
	}
	m->prune_pause_ms = m->prune_pause_ms ? m->prune_pause_ms * 2 : 10;
	m->prune_at_ms = m->prune_pause_ms > 1000 ? 0 : sb_now_ms() + m->prune_pause_ms;
}

/* Remove the leaf of a session that has ended, and those that others have left behind. */
static void remove_leaf(struct sb_monitor *m, int id)
{
	char leaf[32];

	snprintf(leaf, sizeof(leaf), SB_EXEC_LEAF "%d", id);
	if (sb_cgroup_leaf_remove(&m->sb->cgroup, leaf) == -EBUSY)
		m->prune_pause_ms = 0;
	else if (!m->prune_pause_ms)
		return;
	sb_session_prune(m);
}

/**
 * sb_session_on_exit() - The first process of a session has ended
 * @m:		monitor
 * @s:		session whose pidfd is readable
 */
void sb_session_on_exit(struct sb_monitor *m, struct sb_session *s)
{
	struct rusage usage = { .ru_maxrss = 0 };
	int status = 0;
	pid_t pid;

	pid = wait4(s->proc.pid, &status, WNOHANG, &usage);
	if (pid == 0)
		return; /* likewise */
	if (pid < 0)
		sb_err_set(&s->failure, errno, "learn how the session has ended");
	if (!s->is_started)
		sb_session_on_sync(m, s);
	drain(s);
	sb_process_close(&s->proc);
	complete_info(m, s, status, &usage);
	save(m, s);
	s->is_ended = true;
	if (m->sb->rec.main_exec == s->id) {
		m->sb->rec.exit_code = exit_code_of(s, status);
		sb_monitor_stop(m, 0);
	}
	report(m, s);
	if (s->is_timed_out)
		sb_session_kill(s);
	sb_close_fd(&s->leaf_fd);
	remove_leaf(m, s->id);
	if (s->logs[0].pipe_fd < 0 && s->logs[1].pipe_fd < 0)
		sb_session_release(s);
}
