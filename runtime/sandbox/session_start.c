/* SPDX-License-Identifier: Apache-2.0 */
/* session_start.c - start a program in a sandbox: what was asked for, its streams, its process */
#include "runtime/sandbox/session.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/err.h"
#include "runtime/base/json.h"
#include "runtime/base/path.h"
#include "runtime/base/str.h"
#include "runtime/base/sys.h"
#include "runtime/sandbox/logs.h"
#include "runtime/sandbox/monitor.h"

/**
 * struct order - what a client asks for, checked
 * @argv:	arguments, at least one
 * @env:	complete environment
 * @cwd:	working directory
 * @user:	user; borrowed from the request or the record
 * @background:	it outlives the client
 * @tty:	it gets a terminal
 * @timeout_ms:	how long it may run; 0 = for ever
 * @size:	size of the terminal
 */
struct order {
	struct sb_strv argv;
	struct sb_strv env;
	char cwd[PATH_MAX];
	const char *user;
	int background;
	int tty;
	int64_t timeout_ms;
	struct winsize size;
};

static void order_done(struct order *o)
{
	sb_strv_done(&o->argv);
	sb_strv_done(&o->env);
}

static int read_env(const json_t *req, const struct sb_record *rec, struct order *o,
		    struct sb_err *err)
{
	struct sb_strv extra = SB_STRV_INIT;
	int ret = sb_json_get_strv(req, "env", &extra, err);

	for (size_t i = 0; ret == 0 && i < rec->env.n; i++)
		ret = sb_strv_add(&o->env, rec->env.v[i], err);
	if (ret == 0 && o->tty)
		ret = sb_strv_set_env(&o->env, "TERM=xterm", err);
	for (size_t i = 0; ret == 0 && i < extra.n; i++)
		ret = sb_strv_set_env(&o->env, extra.v[i], err);
	sb_strv_done(&extra);
	return ret;
}

static int read_order(const json_t *req, const struct sb_record *rec, struct order *o,
		      struct sb_err *err)
{
	const char *cwd = rec->cwd;
	int64_t rows = 24, columns = 80;
	int n;

	o->user = rec->user;
	if (sb_json_get_bool(req, "background", &o->background, err) < 0 ||
	    sb_json_get_bool(req, "tty", &o->tty, err) < 0 ||
	    sb_json_get_int(req, "timeoutMs", &o->timeout_ms, err) < 0 ||
	    sb_json_get_int(req, "rows", &rows, err) < 0 ||
	    sb_json_get_int(req, "columns", &columns, err) < 0 ||
	    sb_json_get_str(req, "cwd", &cwd, err) < 0 ||
	    sb_json_get_str(req, "user", &o->user, err) < 0 ||
	    sb_json_get_strv(req, "args", &o->argv, err) < 0 || read_env(req, rec, o, err) < 0)
		return -err->code;
	if (o->argv.n == 0 || !o->argv.v[0][0])
		return sb_err_refuse(err, EINVAL, "no command to run");
	if (o->timeout_ms < 0)
		return sb_err_refuse(err, EINVAL, "a timeout of %jd ms", (intmax_t)o->timeout_ms);
	o->size.ws_row = (unsigned short)rows;
	o->size.ws_col = (unsigned short)columns;
	/* Relative to the sandbox's own working directory, as for files. */
	n = snprintf(o->cwd, sizeof(o->cwd), "%s%s%s", cwd[0] == '/' ? "" : rec->cwd,
		     cwd[0] == '/' ? "" : "/", cwd);
	return n < (int)sizeof(o->cwd) ? 0
				       : sb_err_set(err, ENAMETOOLONG, "change to '%.60s…'", cwd);
}

/**
 * struct streams - what a program gets as standard input, output and error
 * @stdio:	the three descriptors
 * @ours:	those of them that are the monitor's to close after the start; else -1
 */
struct streams {
	int stdio[3];
	int ours[3];
};

static void streams_done(struct streams *st)
{
	for (int i = 0; i < 3; i++)
		sb_close_fd(&st->ours[i]);
}

static void remove_logs(struct sb_monitor *m, const struct sb_session *s)
{
	char name[32];

	for (int i = 0; i < 2; i++) {
		snprintf(name, sizeof(name), "%d%s", s->id, SB_LOG_SUFFIX(i));
		if (s->logs[i].file_fd >= 0)
			(void)unlinkat(m->sb->logs_fd, name, 0);
	}
}

static int open_log(struct sb_monitor *m, struct sb_session *s, int stream, int read_fd,
		    struct sb_err *err)
{
	char name[32];

	if (m->sb->logs_fd < 0)
		m->sb->logs_fd = sb_ensure_dir_at(m->sb->data_fd, "logs", 0700, err);
	if (m->sb->logs_fd < 0)
		return -err->code;
	snprintf(name, sizeof(name), "%d%s", s->id, SB_LOG_SUFFIX(stream));
	s->logs[stream].file_fd = openat(
		m->sb->logs_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (s->logs[stream].file_fd < 0)
		return sb_err_set(err, errno, "make the log '%s'", name);
	s->logs[stream].pipe_fd = read_fd;
	return 0;
}

/* A terminal of the sandbox: the master here, the slave for the program. */
static int open_terminal(struct sb_monitor *m, struct sb_session *s, const struct winsize *size,
			 int *ret_slave, struct sb_err *err)
{
	int unlock = 0;

	/* The instance is reached by descriptor, the slave by ioctl(2): no path that the sandbox
	 * could have exchanged (CVE-2025-52565). TIOCGPTPEER: Linux 4.13. */
	s->master_fd = openat(m->sb->pts_fd, "ptmx", O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
	if (s->master_fd < 0 || ioctl(s->master_fd, TIOCSPTLCK, &unlock) < 0 ||
	    ioctl(s->master_fd, TIOCSWINSZ, size) < 0)
		return sb_err_set(err, errno, "make a terminal");
	*ret_slave = ioctl(s->master_fd, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	return *ret_slave >= 0 ? 0 : sb_err_set(err, errno, "open the terminal");
}

static int open_background(struct sb_monitor *m, struct sb_session *s, struct streams *st,
			   struct sb_err *err)
{
	st->ours[0] = open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (st->ours[0] < 0)
		return sb_err_set(err, errno, "open '/dev/null'");
	for (int i = 0; i < 2; i++) {
		int p[2];

		if (pipe2(p, O_CLOEXEC) < 0)
			return sb_err_set(err, errno, "make a pipe");
		st->ours[i + 1] = p[1];
		(void)fcntl(p[0], F_SETFL, O_NONBLOCK);
		if (open_log(m, s, i, p[0], err) < 0) {
			(void)close(p[0]);
			return -err->code;
		}
	}
	memcpy(st->stdio, st->ours, sizeof(st->stdio));
	return 0;
}

/* Get descriptors for the program: a terminal, pipes to the logs, or the client's own (@fds). */
static int open_streams(struct sb_monitor *m, struct sb_session *s, const struct order *o,
			const int *fds, struct streams *st, struct sb_err *err)
{
	if (o->tty) {
		if (open_terminal(m, s, &o->size, &st->ours[0], err) < 0)
			return -err->code;
		st->stdio[0] = st->stdio[1] = st->stdio[2] = st->ours[0];
		return o->background ? open_log(m, s, 0, s->master_fd, err) : 0;
	}
	if (o->background)
		return open_background(m, s, st, err);
	if (!fds)
		return sb_err_refuse(err, EINVAL, "a foreground session needs 3 descriptors");
	for (int i = 0; i < 3; i++) {
		struct stat file;

		/* From a directory a path leads out of the sandbox (CVE-2024-21626). */
		if (fstat(fds[i], &file) < 0 || S_ISDIR(file.st_mode) ||
		    (fcntl(fds[i], F_GETFL) & O_PATH))
			return sb_err_refuse(err, EINVAL,
					     "descriptor %d cannot be a standard stream", i);
	}
	memcpy(st->stdio, fds, sizeof(st->stdio));
	return 0;
}

static json_t *new_info(const struct sb_monitor *m, const struct sb_session *s,
			const struct order *o)
{
	char name[SB_ID_LEN + 16];

	snprintf(name, sizeof(name), "%s/%d", m->sb->rec.id, s->id);
	return json_pack("{s:s, s:i, s:o, s:s, s:s, s:b, s:b, s:i, s:s}", "id", name, "exec", s->id,
			 "command", sb_json_from_strv(&o->argv), "cwd", o->cwd, "user", o->user,
			 "background", o->background, "tty", o->tty, "pid", s->proc.pid, "state",
			 "running");
}

static struct sb_session *take_slot(struct sb_monitor *m)
{
	for (int i = 0; i < SB_SESSIONS_MAX; i++) {
		struct sb_session *s = &m->sessions[i];

		if (s->id)
			continue;
		if (i >= m->n_slots)
			m->n_slots = i + 1;
		*s = (struct sb_session){ .id = ++m->last_session,
					  .proc = SB_PROCESS_INIT,
					  .leaf_fd = -1,
					  .client = -1,
					  .master_fd = -1,
					  .logs = { { -1, -1, 0 }, { -1, -1, 0 } } };
		return s;
	}
	return NULL;
}

static int spawn(struct sb_monitor *m, struct sb_session *s, const struct order *o,
		 const int stdio[3], struct sb_err *err)
{
	struct sb_exec x = { .cgroup = &m->sb->cgroup,
			     .leaf_fd = s->leaf_fd,
			     .init_pidfd = m->sb->init.pidfd,
			     .userns_fd = m->sb->userns_fd,
			     .id_base = m->sb->rec.id_base,
			     .argv = o->argv.v,
			     .env = o->env.v,
			     .cwd = o->cwd,
			     .user = o->user,
			     .stdio = { stdio[0], stdio[1], stdio[2] },
			     .is_tty = o->tty,
			     .nofile = m->nofile };
	int slot = (int)(s - m->sessions);

	s->oom_kills = sb_cgroup_oom_kills(&m->sb->cgroup);
	if (sb_exec_spawn(&x, &s->proc, err) < 0)
		return -err->code;
	s->started_ms = sb_now_ms();
	s->deadline_ms = o->timeout_ms ? s->started_ms + (uint64_t)o->timeout_ms : 0;
	s->info = new_info(m, s, o);
	if (!s->info || sb_monitor_watch(m, s->proc.sync_fd, SB_EVENT_SYNC, slot) < 0 ||
	    sb_monitor_watch(m, s->proc.pidfd, SB_EVENT_EXIT, slot) < 0 ||
	    (s->logs[0].pipe_fd >= 0 &&
	     sb_monitor_watch(m, s->logs[0].pipe_fd, SB_EVENT_STDOUT, slot) < 0) ||
	    (s->logs[1].pipe_fd >= 0 &&
	     sb_monitor_watch(m, s->logs[1].pipe_fd, SB_EVENT_STDERR, slot) < 0)) {
		(void)sb_cgroup_kill(s->leaf_fd);
		sb_reap(s->proc.pid);
		return sb_err_set(err, ENOMEM, "watch the session");
	}
	sb_session_set_time(s, "startedAt");
	return 0;
}

/**
 * sb_session_start() - Start a program
 * @m:		monitor
 * @request:	{"args", "env", "cwd", "user", "background", "tty", "timeoutMs", "rows", "columns"}
 * @fds:	foreground without a terminal: standard input, output, error; borrowed
 * @n_fds:	how many
 * @client:	slot of the asking client, who is told {"started": …} later, and in the foreground
 *		{"exited": …}, or {"error": …}
 *
 * Return: 0, or a negative errno value with nothing left behind
 */
int sb_session_start(struct sb_monitor *m, const json_t *request, const int *fds, size_t n_fds,
		     int client, struct sb_err *err)
{
	_cleanup_(order_done) struct order o = { .background = 0 };
	struct sb_session *s;
	_cleanup_(streams_done) struct streams st = { .ours = { -1, -1, -1 } };
	char leaf[32];
	int ret = -1;

	if (read_order(request, &m->sb->rec, &o, err) < 0)
		return -err->code;
	s = take_slot(m);
	if (!s)
		return sb_err_refuse(err, EAGAIN, "%d sessions run in the sandbox",
				     SB_SESSIONS_MAX);
	s->client = client;
	snprintf(leaf, sizeof(leaf), SB_EXEC_LEAF "%d", s->id);
	s->leaf_fd = sb_cgroup_leaf_create(&m->sb->cgroup, leaf, err);
	if (s->leaf_fd >= 0 && open_streams(m, s, &o, n_fds == 3 ? fds : NULL, &st, err) == 0)
		ret = spawn(m, s, &o, st.stdio, err);
	if (ret < 0) {
		remove_logs(m, s);
		sb_session_release(s);
		(void)sb_cgroup_leaf_remove(&m->sb->cgroup, leaf);
		return -err->code;
	}
	m->has_main |= s->id == m->sb->rec.main_exec;
	return 0;
}
