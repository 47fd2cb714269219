/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ports.c - what listens in a sandbox, who does, and whether it can be reached
 *
 * Sockets come from one sock_diag dump inside the network namespace; their owners from
 * /proc/<pid>/fd of the processes in the sandbox's leaves. Nothing runs in the sandbox for it.
 */
#include "runtime/sandbox/ports.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/json.h"
#include "runtime/base/num.h"
#include "runtime/base/path.h"
#include "runtime/base/str.h"
#include "runtime/base/sys.h"
#include "runtime/sandbox/client.h"
#include "runtime/sandbox/sandbox.h"

#define POLL_FIRST_MS 1 /* between two dumps; a dump takes 10 µs */
#define POLL_LAST_MS  10

/* Open a sock_diag socket in the sandbox's network namespace. */
static int open_diag(const struct sb_home *home, const struct sb_record *rec, struct sb_err *err)
{
	_cleanup_fd_ int netns = sb_record_open_proc(home, rec, "ns/net", O_RDONLY, err);

	return netns < 0 ? netns : sb_sock_diag_open(netns, err);
}

/* pid as the innermost namespace sees it: the last number of NSpid, proc_pid_status(5). */
static pid_t inner_pid(int proc_fd)
{
	char text[4096], *line, *last;

	if (sb_read_small_at(proc_fd, "status", text, sizeof(text)) < 0)
		return 0;
	line = strstr(text, "\nNSpid:");
	if (!line)
		return 0;
	line = strtok_r(line + 1, "\n", &last);
	last = strrchr(line, '\t');
	return last ? (pid_t)strtol(last + 1, NULL, 10) : 0;
}

/* Note @pid as the owner of those sockets that it has open. */
static void match_process(pid_t pid, int exec, struct sb_port *ports, size_t n)
{
	char path[32];
	_cleanup_fd_ int proc_fd = -1;
	_cleanup_dir_ DIR *dir = NULL;
	struct dirent *e;

	snprintf(path, sizeof(path), "/proc/%d", pid);
	proc_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	dir = proc_fd < 0 ? NULL : sb_opendir_at(proc_fd, "fd");
	while (dir && (e = readdir(dir))) {
		char link[64];
		uint64_t inode;
		ssize_t len = readlinkat(dirfd(dir), e->d_name, link, sizeof(link) - 1);

		link[len > 0 ? len : 0] = '\0';
		if (sb_parse_within(link, "socket:[", "]", &inode) < 0)
			continue;
		for (size_t i = 0; i < n; i++) {
			if (ports[i].listener.inode != inode || ports[i].host_pid)
				continue;
			ports[i].exec = exec;
			ports[i].host_pid = pid;
			ports[i].pid = inner_pid(proc_fd);
			(void)sb_read_small_at(proc_fd, "comm", ports[i].command,
					       sizeof(ports[i].command));
			sb_str_clean(ports[i].command);
		}
	}
}

static void match_leaf(int leaf_fd, int exec, struct sb_port *ports, size_t n)
{
	struct sb_err ignored = SB_ERR_INIT;
	_cleanup_free_ char *text = NULL;
	char *p, *end;

	if (sb_read_at(leaf_fd, "cgroup.procs", 1 << 20, &text, NULL, &ignored) < 0)
		return;
	for (p = text; *p; p = end + (*end == '\n')) {
		long pid = strtol(p, &end, 10);

		if (end == p)
			return;
		if (pid > 0)
			match_process((pid_t)pid, exec, ports, n);
	}
}

static void match_owners(const struct sb_home *home, const struct sb_record *rec,
			 struct sb_port *ports, size_t n)
{
	_cleanup_fd_ int track = sb_cgroup_open(home->cgroup_parent, rec->id);
	_cleanup_dir_ DIR *dir = NULL;
	struct dirent *e;
	uint64_t exec;

	if (track < 0)
		return;
	dir = sb_opendir_at(track, ".");
	while (dir && (e = readdir(dir))) {
		_cleanup_fd_ int leaf = -1;

		if (sb_parse_within(e->d_name, SB_EXEC_LEAF, "", &exec) < 0)
			continue;
		leaf = openat(track, e->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		match_leaf(leaf, (int)exec, ports, n);
	}
}

/* Turn listeners into ports, judged for the sandbox's address. */
static int judge(const struct sb_record *rec, const struct sb_listener *l, size_t n,
		 struct sb_port **ret, struct sb_err *err)
{
	struct sb_port *ports = calloc(n ? n : 1, sizeof(*ports));
	struct in6_addr addr;

	if (!ports || inet_pton(AF_INET6, rec->address, &addr) != 1) {
		free(ports);
		return sb_err_set(err, ENOMEM, "list the ports of '%s'", rec->id);
	}
	for (size_t i = 0; i < n; i++) {
		ports[i].listener = l[i];
		ports[i].reach = sb_listener_reach(&l[i], &addr);
		(void)sb_reach_advice(&l[i], &addr, ports[i].advice, sizeof(ports[i].advice));
	}
	*ret = ports;
	return 0;
}

/**
 * sb_ports() - List what listens in a sandbox
 * @home:	home
 * @rec:	record of a running sandbox
 * @ret:	the list; the caller frees it
 * @ret_n:	its length
 *
 * Needs CAP_SYS_ADMIN, CAP_SYS_PTRACE and a single-threaded caller.
 *
 * Return: 0, or a negative errno value (-ENOTCONN: not running)
 */
int sb_ports(const struct sb_home *home, const struct sb_record *rec, struct sb_port **ret,
	     size_t *ret_n, struct sb_err *err)
{
	_cleanup_fd_ int diag = open_diag(home, rec, err);
	_cleanup_free_ struct sb_listener *l = NULL;
	size_t n;

	if (diag < 0 || sb_listeners(diag, &l, &n, err) < 0 || judge(rec, l, n, ret, err) < 0)
		return -err->code;
	match_owners(home, rec, *ret, n);
	*ret_n = n;
	return 0;
}

/* ---- waiting ------------------------------------------------------------------------------------
 */

/**
 * struct watch - a wait under way
 * @diag_fd:	sock_diag socket in the sandbox
 * @conn:	connection to the monitor that speaks when the session, or the sandbox, has ended
 * @rec:	record of the sandbox
 */
struct watch {
	int diag_fd;
	int conn;
	const struct sb_record *rec;
};

/* Look once: 1 with the best listener on @port in @ret, 0 if there is none. */
static int look(const struct watch *w, uint16_t port, struct sb_port *ret, struct sb_err *err)
{
	_cleanup_free_ struct sb_listener *l = NULL;
	_cleanup_free_ struct sb_port *ports = NULL;
	size_t n = 0;
	int found = 0;

	if (sb_listeners(w->diag_fd, &l, &n, err) < 0 || judge(w->rec, l, n, &ports, err) < 0)
		return -err->code;
	for (size_t i = 0; ports && i < n; i++) {
		const struct sb_listener *p = &ports[i].listener;

		if (p->proto != SB_PROTO_TCP || p->port != port ||
		    (found && ports[i].reach != SB_REACH_OK))
			continue;
		*ret = ports[i];
		found = 1;
	}
	return found;
}

/* The time is up: say what is wrong, with what does listen. */
static int explain(const struct watch *w, const struct sb_wait *want, int found,
		   const struct sb_port *port, struct sb_err *err)
{
	_cleanup_free_ struct sb_listener *l = NULL;
	struct sb_err ignored = SB_ERR_INIT;
	char others[96] = "";
	size_t n = 0, used = 0;

	sb_err_refuse(err, ETIMEDOUT, "port %u of '%s' did not become reachable", want->port,
		      w->rec->id);
	err->exit_code = 124;
	if (found)
		return sb_err_hint(err, "%s", port->advice);
	(void)sb_listeners(w->diag_fd, &l, &n, &ignored);
	for (size_t i = 0; i < n && used < sizeof(others) - 8; i++)
		if (l[i].proto == SB_PROTO_TCP)
			used += (size_t)snprintf(others + used, sizeof(others) - used, " %u",
						 l[i].port);
	return sb_err_hint(err, "nothing listens on it; TCP ports in use:%s",
			   used ? others : " none");
}

/* The session or the sandbox has ended before the port was there. */
static int died(const struct watch *w, const struct sb_wait *want, struct sb_err *err)
{
	_cleanup_json_ json_t *reply = NULL;
	const json_t *rec;
	const char *reason = "";
	int64_t code = 0;

	if (sb_client_recv(w->conn, &reply, NULL, err) < 0 && err->code != EPIPE)
		return -err->code;
	rec = json_object_get(reply, "exited");
	if (!rec) {
		sb_err_refuse(err, ESRCH, "sandbox '%s' has ended", want->id);
	} else {
		struct sb_err ignored = SB_ERR_INIT;

		(void)sb_json_get_int(rec, "exitCode", &code, &ignored);
		(void)sb_json_get_str(rec, "reason", &reason, &ignored);
		sb_err_refuse(err, ESRCH, "session '%s/%d' has ended (%s, exit code %d)", want->id,
			      want->exec, reason, (int)code);
		sb_err_hint(err, "see 'sbrun logs %s/%d'", want->id, want->exec);
	}
	err->exit_code = 1;
	return -err->code;
}

static int poll_port(const struct watch *w, const struct sb_wait *want, struct sb_port *ret,
		     struct sb_err *err)
{
	uint64_t start = sb_now_ms();
	int pause = POLL_FIRST_MS;

	for (;;) {
		struct pollfd p = { .fd = w->conn, .events = POLLIN };
		int found = look(w, want->port, ret, err);
		uint64_t waited = sb_now_ms() - start;

		if (found < 0 || (found && ret->reach == SB_REACH_OK))
			return found < 0 ? -err->code : 0;
		if (want->timeout_ms && waited >= want->timeout_ms)
			return explain(w, want, found, ret, err);
		if (want->timeout_ms && want->timeout_ms - waited < (uint64_t)pause)
			pause = (int)(want->timeout_ms - waited);
		if (poll(&p, 1, pause) > 0)
			return died(w, want, err);
		pause = pause * 2 > POLL_LAST_MS ? POLL_LAST_MS : pause * 2;
	}
}

/**
 * sb_ports_wait() - Wait until a TCP port of a sandbox can be reached
 * @home:	home
 * @w:		what to wait for
 * @ret:	the listening socket
 *
 * Return: 0, or a negative errno value: -ETIMEDOUT with the diagnosis as hint, -ESRCH if the
 * session it depends on, or the sandbox, has ended; -ENOTCONN if the sandbox is not running
 */
int sb_ports_wait(const struct sb_home *home, const struct sb_wait *w, struct sb_port *ret,
		  struct sb_err *err)
{
	_cleanup_record_ struct sb_record rec = SB_RECORD_INIT;
	_cleanup_fd_ int conn = -1, diag = -1;
	struct sb_wait want = *w;
	struct watch watch;

	if (sb_record_load(home, w->id, &rec, err) < 0)
		return -err->code;
	if (!want.exec)
		want.exec = rec.main_exec;
	conn = sb_client_connect(home, w->id, err);
	if (conn < 0 ||
	    sb_client_send(conn, json_pack("{s:s, s:i}", "op", "wait", "exec", want.exec), NULL, 0,
			   err) < 0)
		return -err->code;
	diag = open_diag(home, &rec, err);
	if (diag < 0)
		return -err->code;
	watch = (struct watch){ .diag_fd = diag, .conn = conn, .rec = &rec };
	return poll_port(&watch, &want, ret, err);
}
