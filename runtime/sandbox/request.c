/* SPDX-License-Identifier: Apache-2.0 */
/*
 * request.c - what clients ask a monitor for
 *
 * One packet is one JSON object with "op". Unknown operations and malformed requests get an error
 * and leave the connection usable. Answers are sent without blocking: a client that does not read
 * them is disconnected.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/json.h"
#include "runtime/base/sys.h"
#include "runtime/sandbox/monitor.h"

/*
 * `run` has made this sandbox for a session that could not be started: nobody has use for it. The
 * creator learns @why when it is gone.
 */
static void give_up(struct sb_monitor *m, json_t *why)
{
	m->last_reply = json_incref(why);
	m->sb->rec.remove = true;
	sb_monitor_stop(m, 0);
}

static bool waits_for_main(const struct sb_monitor *m, int client)
{
	return client == 0 && m->sb->rec.main_exec && !m->has_main && m->ending == SB_ENDING_NONE;
}

static void drop_client(struct sb_monitor *m, int client)
{
	sb_close_fd(&m->clients[client].fd);
	m->clients[client].waits_for = 0;
	sb_session_on_client_gone(m, client);
	if (waits_for_main(m, client))
		give_up(m, NULL);
}

/**
 * sb_request_reply() - Send a message to one client
 * @m:		monitor
 * @client:	slot; one that has gone is ignored
 * @reply:	message; borrowed
 * @fd:		descriptor that goes with it; NULL for none
 */
void sb_request_reply(struct sb_monitor *m, int client, json_t *reply, const int *fd)
{
	_cleanup_free_ char *text = reply ? json_dumps(reply, JSON_COMPACT) : NULL;

	if (m->clients[client].fd < 0)
		return;
	if (!text || sb_send_fds(m->clients[client].fd, text, strlen(text), fd, fd ? 1 : 0) < 0)
		drop_client(m, client);
}

/**
 * sb_request_notify() - Tell all who wait for something that it has happened
 * @m:		monitor
 * @waits_for:	number of a session; -1 for the end of the sandbox
 * @reply:	message; borrowed
 */
void sb_request_notify(struct sb_monitor *m, int waits_for, const json_t *reply)
{
	for (int i = 0; i < SB_CLIENTS_MAX; i++) {
		if (m->clients[i].fd < 0 || m->clients[i].waits_for != waits_for)
			continue;
		m->clients[i].waits_for = 0;
		sb_request_reply(m, i, (json_t *)(uintptr_t)reply, NULL);
	}
}

/**
 * sb_request_add_client() - Take a connection in
 * @m:		monitor
 * @fd:		socket; taken over and made non-blocking
 *
 * Return: its slot, or -EMFILE with @fd closed
 */
int sb_request_add_client(struct sb_monitor *m, int fd)
{
	/* Answers quote the command, so they are as long as requests: sb_client_connect(). */
	int room = SB_REQUEST_MAX + 4096;

	(void)setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof(room));
	for (int i = 0; i < SB_CLIENTS_MAX; i++) {
		if (m->clients[i].fd >= 0)
			continue;
		if (fcntl(fd, F_SETFL, O_NONBLOCK) < 0 ||
		    sb_monitor_watch(m, fd, SB_EVENT_CLIENT, i) < 0)
			break;
		m->clients[i] = (struct sb_client){ .fd = fd };
		return i;
	}
	(void)close(fd);
	return -EMFILE;
}

/**
 * sb_request_accept() - Accept a waiting connection
 * @m:		monitor
 *
 * Only root may talk to a monitor; the mode of the socket says so already (CVE-2020-15257).
 */
void sb_request_accept(struct sb_monitor *m)
{
	int fd = accept4(m->sb->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct ucred peer = { .uid = (uid_t)-1 };
	socklen_t len = sizeof(peer);

	if (fd < 0)
		return;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0 || peer.uid != 0)
		(void)close(fd);
	else
		(void)sb_request_add_client(m, fd);
}

/* ---- operations: return 0 if the answer was sent or comes later ------------------------------ */

static int get_session_id(const json_t *req, int *ret, struct sb_err *err)
{
	int64_t id = 0;

	if (sb_json_get_int(req, "exec", &id, err) < 0)
		return -err->code;
	if (id < 0 || id > INT32_MAX)
		return sb_err_refuse(err, EINVAL, "there is no session %jd", (intmax_t)id);
	*ret = (int)id;
	return 0;
}

static int reply_ok(struct sb_monitor *m, int client)
{
	_cleanup_json_ json_t *reply = json_pack("{s:b}", "ok", 1);

	sb_request_reply(m, client, reply, NULL);
	return 0;
}

static int op_exec(struct sb_monitor *m, int client, const json_t *req, const int *fds,
		   size_t n_fds, struct sb_err *err)
{
	if (m->ending != SB_ENDING_NONE)
		return sb_err_refuse(err, ESHUTDOWN, "sandbox '%s' is ending", m->sb->rec.id);
	return sb_session_start(m, req, fds, n_fds, client, err);
}

static int op_kill(struct sb_monitor *m, int client, const json_t *req, const int *fds,
		   size_t n_fds, struct sb_err *err)
{
	struct sb_session *s;
	int64_t sig = SIGKILL;
	int id = 0;

	(void)fds;
	(void)n_fds;
	if (get_session_id(req, &id, err) < 0 || sb_json_get_int(req, "signal", &sig, err) < 0)
		return -err->code;
	if (sig < 1 || sig > SIGRTMAX)
		return sb_err_refuse(err, EINVAL, "there is no signal %jd", (intmax_t)sig);
	if (id == 0 && sig == SIGKILL) {
		m->clients[client].waits_for = -1;
		sb_monitor_stop(m, 0);
		return 0;
	}
	if (id == 0) {
		sb_session_signal_all(m, (int)sig);
		return reply_ok(m, client);
	}
	s = sb_session_find(m, id);
	if (!s)
		return sb_err_refuse(err, ESRCH, "session '%s/%d' is not running", m->sb->rec.id,
				     id);
	if (sig == SIGKILL)
		sb_session_kill(s);
	else if (sb_pidfd_send_signal(s->proc.pidfd, (int)sig) < 0)
		return sb_err_set(err, errno, "signal session '%s/%d'", m->sb->rec.id, id);
	return reply_ok(m, client);
}

static int op_wait(struct sb_monitor *m, int client, const json_t *req, const int *fds,
		   size_t n_fds, struct sb_err *err)
{
	_cleanup_json_ json_t *record = NULL, *reply = NULL;
	int id = 0;

	(void)fds;
	(void)n_fds;
	if (get_session_id(req, &id, err) < 0)
		return -err->code;
	if (id == 0 || sb_session_find(m, id)) {
		m->clients[client].waits_for = id ? id : -1;
		return 0;
	}
	if (sb_record_load_exec(m->sb->home, m->sb->rec.id, id, &record, err) < 0)
		return -err->code;
	reply = json_pack("{s:O}", "exited", record);
	sb_request_reply(m, client, reply, NULL);
	return 0;
}

static int op_stop(struct sb_monitor *m, int client, const json_t *req, const int *fds,
		   size_t n_fds, struct sb_err *err)
{
	int64_t grace = SB_STOP_GRACE_MS;
	int remove = m->sb->rec.remove;

	(void)fds;
	(void)n_fds;
	if (sb_json_get_int(req, "graceMs", &grace, err) < 0 ||
	    sb_json_get_bool(req, "remove", &remove, err) < 0)
		return -err->code;
	if (grace < 0)
		return sb_err_refuse(err, EINVAL, "a grace period of %jd ms", (intmax_t)grace);
	m->sb->rec.remove = remove;
	m->clients[client].waits_for = -1;
	sb_monitor_stop(m, (uint64_t)grace);
	return 0;
}

static const struct {
	const char *name;
	int (*fn)(struct sb_monitor *m, int client, const json_t *req, const int *fds, size_t n_fds,
		  struct sb_err *err);
} operations[] = {
	{ "exec", op_exec },
	{ "kill", op_kill },
	{ "wait", op_wait },
	{ "stop", op_stop },
};

static int dispatch(struct sb_monitor *m, int client, const json_t *req, const int *fds,
		    size_t n_fds, struct sb_err *err)
{
	const char *op;

	if (sb_json_need_str(req, "op", &op, err) < 0)
		return -err->code;
	for (size_t i = 0; i < SB_ARRAY_SIZE(operations); i++)
		if (!strcmp(operations[i].name, op))
			return operations[i].fn(m, client, req, fds, n_fds, err);
	return sb_err_refuse(err, EINVAL, "unknown operation '%s'", op);
}

/**
 * sb_request_handle() - Read one request and act on it
 * @m:		monitor
 * @client:	slot whose socket is readable
 */
void sb_request_handle(struct sb_monitor *m, int client)
{
	_cleanup_json_ json_t *req = NULL, *reply = NULL;
	_cleanup_free_ char *buf = NULL;
	struct sb_err err = SB_ERR_INIT;
	int fds[SB_FDS_MAX], fd = m->clients[client].fd;
	size_t n_fds = 0;
	ssize_t n = recv(fd, NULL, 0, MSG_PEEK | MSG_TRUNC | MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n > 0 && n <= SB_REQUEST_MAX)
		buf = malloc((size_t)n);
	if (buf)
		n = sb_recv_fds(fd, buf, (size_t)n, fds, &n_fds);
	if (n <= 0 || !buf) { /* gone, too long, or no memory for it */
		drop_client(m, client);
		return;
	}
	if (sb_json_parse(buf, (size_t)n, &req, &err) < 0 ||
	    dispatch(m, client, req, fds, n_fds, &err) < 0) {
		reply = sb_json_from_err(&err);
		if (waits_for_main(m, client))
			give_up(m, reply);
		else
			sb_request_reply(m, client, reply, NULL);
	}
	while (n_fds > 0)
		(void)close(fds[--n_fds]);
}
