/* SPDX-License-Identifier: Apache-2.0 */
/*
 * monitor.c - the supervisor of one sandbox: the loop, the lifetime, the end
 *
 * DOC: Theory of operation
 *
 * One process per sandbox, on the host, outside the sandbox's groups. It is forked by the command
 * that creates the sandbox, makes it (bringup.c), and then waits for events. Nothing it does
 * blocks: the children it starts report through sockets, output is read when it is there, and a
 * client that does not take its answer loses its connection. All tables have a fixed size.
 *
 * The sandbox ends when it is asked to (stop), when its lifetime is over, when its first session
 * has ended (run), or when process 1 is gone. Ending goes one way: ask, kill, wait for the kernel,
 * take the `running` table down, record it, tell those who wait, exit.
 */
#include "runtime/sandbox/monitor.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "images/image.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/json.h"
#include "runtime/base/log.h"
#include "runtime/base/sys.h"
#include "runtime/sandbox/client.h"

#define EVENTS_MAX 32

/**
 * sb_monitor_watch() - Ask to be told about a descriptor
 * @m:		monitor
 * @fd:		descriptor; closing it ends the watch
 * @event:	what its readiness means
 * @slot:	which client or session it is about
 *
 * Return: 0, or a negative errno value
 */
int sb_monitor_watch(struct sb_monitor *m, int fd, enum sb_event event, int slot)
{
	struct epoll_event e = {
		.events = EPOLLIN,
		.data.u64 = (uint64_t)event << 32 | (uint32_t)slot,
	};

	return epoll_ctl(m->epoll_fd, EPOLL_CTL_ADD, fd, &e) < 0 ? -errno : 0;
}

static void kill_all(struct sb_monitor *m)
{
	m->ending = SB_ENDING_KILLED;
	/* The pid namespace dies with process 1, whatever else may be wrong. */
	if (sb_cgroup_kill_all(&m->sb->cgroup) < 0)
		(void)sb_pidfd_send_signal(m->sb->init.pidfd, SIGKILL);
}

/**
 * sb_monitor_stop() - Begin to end the sandbox, or hurry it up
 * @m:		monitor
 * @grace_ms:	how long processes may take after SIGTERM; 0 kills at once
 */
void sb_monitor_stop(struct sb_monitor *m, uint64_t grace_ms)
{
	uint64_t kill_at = sb_now_ms() + grace_ms;

	if (m->ending == SB_ENDING_KILLED)
		return;
	if (grace_ms == 0 || !sb_session_any(m)) {
		kill_all(m);
		return;
	}
	if (m->ending == SB_ENDING_NONE)
		sb_session_signal_all(m, SIGTERM);
	if (m->ending == SB_ENDING_NONE || kill_at < m->kill_at_ms)
		m->kill_at_ms = kill_at;
	m->ending = SB_ENDING_ASKED;
}

static void on_event(struct sb_monitor *m, enum sb_event event, int slot)
{
	struct signalfd_siginfo info;

	switch (event) {
	case SB_EVENT_LISTEN:
		sb_request_accept(m);
		return;
	case SB_EVENT_SIGNAL:
		if (read(m->signal_fd, &info, sizeof(info)) > 0)
			sb_monitor_stop(m, SB_STOP_GRACE_MS);
		return;
	case SB_EVENT_INIT:
		/* It took every process with it: pid_namespaces(7). */
		(void)epoll_ctl(m->epoll_fd, EPOLL_CTL_DEL, m->sb->init.pidfd, NULL);
		kill_all(m);
		return;
	case SB_EVENT_CLIENT:
		if (m->clients[slot].fd >= 0)
			sb_request_handle(m, slot);
		return;
	case SB_EVENT_SYNC:
		if (m->sessions[slot].id && !m->sessions[slot].is_started)
			sb_session_on_sync(m, &m->sessions[slot]);
		return;
	case SB_EVENT_EXIT:
		if (sb_session_is_alive(&m->sessions[slot]))
			sb_session_on_exit(m, &m->sessions[slot]);
		return;
	case SB_EVENT_STDOUT:
	case SB_EVENT_STDERR:
		if (m->sessions[slot].id)
			sb_session_on_output(&m->sessions[slot], event == SB_EVENT_STDERR ? 1 : 0);
		return;
	}
}

/* Kill sessions whose time is up; the earliest deadline of the others, UINT64_MAX without one. */
static uint64_t check_deadlines(struct sb_monitor *m, uint64_t now)
{
	uint64_t next = UINT64_MAX;

	for (int i = 0; i < m->n_slots; i++) {
		struct sb_session *s = &m->sessions[i];

		if (!sb_session_is_alive(s) || !s->deadline_ms || s->is_timed_out)
			continue;
		if (now >= s->deadline_ms) {
			s->is_timed_out = true;
			sb_session_kill(s);
		} else if (s->deadline_ms < next) {
			next = s->deadline_ms;
		}
	}
	return next;
}

/* Act on what is due, and tell how long epoll_wait(2) may sleep: -1 for ever. */
static int next_timeout(struct sb_monitor *m)
{
	uint64_t now = sb_now_ms(), next;

	if (m->ending == SB_ENDING_NONE && m->stop_at_ms && now >= m->stop_at_ms)
		sb_monitor_stop(m, 0);
	if (m->ending == SB_ENDING_ASKED && (now >= m->kill_at_ms || !sb_session_any(m)))
		kill_all(m);
	if (m->prune_at_ms && now >= m->prune_at_ms)
		sb_session_prune(m);
	next = check_deadlines(m, now);
	if (m->ending == SB_ENDING_NONE && m->stop_at_ms && m->stop_at_ms < next)
		next = m->stop_at_ms;
	if (m->ending == SB_ENDING_ASKED && m->kill_at_ms < next)
		next = m->kill_at_ms;
	if (m->prune_at_ms && m->prune_at_ms < next)
		next = m->prune_at_ms;
	if (next == UINT64_MAX)
		return -1;
	return next - now > INT32_MAX ? INT32_MAX : (int)(next - now);
}

static void loop(struct sb_monitor *m)
{
	struct epoll_event events[EVENTS_MAX];

	for (;;) {
		int timeout = next_timeout(m);
		int n;

		if (m->ending == SB_ENDING_KILLED && !sb_session_any(m))
			return;
		n = epoll_wait(m->epoll_fd, events, EVENTS_MAX, timeout);
		for (int i = 0; i < n; i++)
			on_event(m, (enum sb_event)(events[i].data.u64 >> 32),
				 (int)(uint32_t)events[i].data.u64);
	}
}

/*
 * Everything is dead: record it, clean up, and tell those who wait. In this order: while the record
 * says "running", process 1 is at most a zombie, and its pid cannot be another process.
 */
static void finish(struct sb_monitor *m)
{
	struct sb_sandbox *sb = m->sb;
	struct sb_err err = SB_ERR_INIT;
	json_t *reply;

	sb->rec.status = SB_STATUS_STOPPED;
	sb->rec.stopped_ms = sb_wall_ms();
	sb->rec.init_pid = sb->rec.monitor_pid = 0;
	if (sb_record_save(sb->state_fd, &sb->rec, &err) < 0)
		sb_warn("%s: %s", err.msg, strerror(err.code));
	sb_sandbox_end(sb);
	if (sb->rec.remove)
		sb_sandbox_remove(sb);
	if (m->last_reply)
		sb_request_reply(m, 0, m->last_reply, NULL);
	reply = json_pack("{s:{s:s, s:i}}", "stopped", "id", sb->rec.id, "exitCode",
			  sb->rec.exit_code);
	sb_request_notify(m, -1, reply);
	json_decref(reply);
	if (sb->rec.remove)
		sb_sandbox_discard(sb);
}

/* Become independent of whoever started us. */
static int become_daemon(struct sb_sandbox *sb, struct sb_err *err)
{
	_cleanup_fd_ int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	_cleanup_fd_ int log =
		openat(sb->state_fd, "log", O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);

	if (null < 0 || log < 0 || dup2(null, 0) < 0 || dup2(null, 1) < 0 || dup2(log, 2) < 0)
		return sb_err_set(err, errno, "redirect the monitor's output");
	if (chdir("/") < 0)
		return sb_err_set(err, errno, "change to /");
	return 0;
}

static int watch_all(struct sb_monitor *m, int client_fd, struct sb_err *err)
{
	sigset_t signals;

	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	m->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	m->signal_fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
	if (m->epoll_fd < 0 || m->signal_fd < 0 || sigprocmask(SIG_SETMASK, &signals, NULL) < 0)
		return sb_err_set(err, errno, "set the monitor up");
	if (sb_monitor_watch(m, m->signal_fd, SB_EVENT_SIGNAL, 0) < 0 ||
	    sb_monitor_watch(m, m->sb->listen_fd, SB_EVENT_LISTEN, 0) < 0 ||
	    sb_monitor_watch(m, m->sb->init.pidfd, SB_EVENT_INIT, 0) < 0 ||
	    sb_request_add_client(m, client_fd) < 0)
		return sb_err_set(err, ENOMEM, "watch the sandbox");
	return 0;
}

static int set_up(struct sb_monitor *m, int client_fd, struct sb_err *err)
{
	struct sb_sandbox *sb = m->sb;
	uint64_t ttl = sb->create->ttl_ms;

	sb->rec.monitor_pid = getpid();
	if (sb_sandbox_up(sb, err) < 0)
		return -err->code;
	sb->rec.status = SB_STATUS_RUNNING;
	sb->rec.started_ms = sb_wall_ms();
	sb->rec.stop_at_ms = ttl ? sb->rec.started_ms + (int64_t)ttl : 0;
	m->stop_at_ms = ttl ? sb_now_ms() + ttl : 0;
	if (watch_all(m, client_fd, err) < 0 || sb_record_save(sb->state_fd, &sb->rec, err) < 0 ||
	    become_daemon(sb, err) < 0) {
		sb_sandbox_end(sb);
		sb_sandbox_remove(sb);
		return -err->code;
	}
	return 0;
}

/*
 * Allow ourselves as many descriptors as we may have: a session takes six, and the usual limit of
 * 1024 is there for programs that use select(2). Those inside keep the creator's.
 */
static void raise_nofile(struct sb_monitor *m)
{
	struct rlimit all;

	if (getrlimit(RLIMIT_NOFILE, &m->nofile) < 0)
		return;
	all = m->nofile;
	all.rlim_cur = all.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &all);
}

/**
 * sb_monitor_run() - Make a sandbox and supervise it to its end
 * @sb:		initialised sandbox; see sb_sandbox_up()
 * @client_fd:	connection to the creator, who is told {"created": …} or {"error": …}
 *
 * The body of a process forked for it. If the creator is gone when the sandbox is ready, nobody
 * knows about the sandbox: it is removed again.
 *
 * Does not return.
 */
void sb_monitor_run(struct sb_sandbox *sb, int client_fd)
{
	static struct sb_monitor m;
	struct sb_err err = SB_ERR_INIT;
	json_t *reply;

	(void)setsid();
	(void)prctl(PR_SET_DUMPABLE, 0); /* children share our memory's contents until execve(2) */
	(void)prctl(PR_SET_NAME, "sbrun-monitor");
	(void)signal(SIGXFSZ, SIG_IGN); /* a full log is no reason to die */
	if (sb->create->title) {
		memset(sb->create->title, 0, sb->create->title_len);
		snprintf(sb->create->title, sb->create->title_len, "sbrun-monitor %s", sb->rec.id);
	}
	m.sb = sb;
	for (int i = 0; i < SB_CLIENTS_MAX; i++)
		m.clients[i].fd = -1;
	if (set_up(&m, client_fd, &err) < 0) {
		(void)sb_client_send(client_fd, sb_json_from_err(&err), NULL, 0, &err);
		sb_sandbox_discard(sb);
		sb_net_close(&sb->net);
		_exit(1);
	}
	raise_nofile(&m);
	reply = json_pack("{s:{s:s, s:s}}", "created", "id", sb->rec.id, "address",
			  sb->rec.address);
	sb_request_reply(&m, 0, reply, NULL);
	if (m.clients[0].fd < 0) {
		sb->rec.remove = true;
		kill_all(&m);
	}
	loop(&m);
	finish(&m);
	sb_net_close(&sb->net);
	_exit(0);
}
