/* SPDX-License-Identifier: Apache-2.0 */
/*
 * logs.c - what background sessions have written
 *
 * The files are outside the sandbox's file system, in a directory only root can enter, and are
 * opened below its descriptor (CVE-2026-53489 and its kin). Dropped bytes are a hole at the
 * beginning: SEEK_DATA finds the first one that is left.
 */
#include "runtime/sandbox/logs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/json.h"
#include "runtime/base/num.h"
#include "runtime/base/path.h"
#include "runtime/sandbox/client.h"
#include "runtime/sandbox/home.h"

/**
 * sb_logs_open() - Open the logs of a session, running or not
 * @home:	home
 * @id:		valid id of its sandbox
 * @exec:	its number
 * @ret:	released with sb_logs_close()
 *
 * Return: 0, or a negative errno value (-ENOENT: no such session, or a foreground one)
 */
int sb_logs_open(const struct sb_home *home, const char *id, int exec, struct sb_logs *ret,
		 struct sb_err *err)
{
	struct sb_logs logs = SB_LOGS_INIT;
	char path[96];

	for (int i = 0; i < 2; i++) {
		off_t data;

		snprintf(path, sizeof(path), "%s/%s/logs/%d%s", home->data_dir, id, exec,
			 SB_LOG_SUFFIX(i));
		logs.fds[i] = openat(home->store_fd, path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
		data = logs.fds[i] < 0 ? 0 : lseek(logs.fds[i], 0, SEEK_DATA);
		logs.from[i] = data > 0 ? data : 0; /* ENXIO: empty */
	}
	if (logs.fds[0] < 0 && logs.fds[1] < 0) {
		sb_err_refuse(err, ENOENT, "session '%s/%d' has no logs", id, exec);
		return sb_err_hint(err, "only background sessions have");
	}
	*ret = logs;
	return 0;
}

/**
 * sb_logs_newest() - Find the newest session of a sandbox that has logs
 * @home:	home
 * @id:		valid id
 *
 * Return: its number, or 0 if there is none
 */
int sb_logs_newest(const struct sb_home *home, const char *id)
{
	_cleanup_dir_ DIR *dir = NULL;
	struct dirent *e;
	char path[96];
	uint64_t exec;
	int newest = 0;

	snprintf(path, sizeof(path), "%s/%s/logs", home->data_dir, id);
	dir = sb_opendir_at(home->store_fd, path);
	while (dir && (e = readdir(dir)))
		if (sb_parse_within(e->d_name, "", SB_LOG_SUFFIX(0), &exec) == 0 &&
		    (int)exec > newest)
			newest = (int)exec;
	return newest;
}

/**
 * sb_logs_close() - Close the files
 * @logs:	logs, also half-open
 */
void sb_logs_close(struct sb_logs *logs)
{
	sb_close_fd(&logs->fds[0]);
	sb_close_fd(&logs->fds[1]);
}

/* Copy what lies between *@offset and the end as it is now, without what was dropped meanwhile. */
static int copy_new(int from, int64_t *offset, int to, struct sb_err *err)
{
	char buf[65536];
	struct stat st;

	if (fstat(from, &st) < 0)
		return sb_err_set(err, errno, "read the log");
	while (*offset < st.st_size) {
		off_t data = lseek(from, *offset, SEEK_DATA);
		ssize_t n;
		int ret;

		if (data > *offset)
			*offset = data;
		n = pread(from, buf, sizeof(buf), *offset);
		if (n < 0)
			return sb_err_set(err, errno, "read the log");
		if (n == 0)
			return 0;
		ret = sb_write_all(to, buf, (size_t)n);
		if (ret < 0)
			return sb_err_set(err, -ret, "write the log");
		*offset += n;
	}
	return 0;
}

static int copy_both(const struct sb_logs *logs, int64_t offset[2], const int to[2],
		     struct sb_err *err)
{
	for (int i = 0; i < 2; i++)
		if (logs->fds[i] >= 0 && copy_new(logs->fds[i], &offset[i], to[i], err) < 0)
			return -err->code;
	return 0;
}

/**
 * sb_logs_copy() - Copy what is in the logs
 * @logs:	logs
 * @to:		where standard output and error go
 *
 * Return: 0, or a negative errno value
 */
int sb_logs_copy(const struct sb_logs *logs, const int to[2], struct sb_err *err)
{
	int64_t offset[2] = { logs->from[0], logs->from[1] };

	return copy_both(logs, offset, to, err);
}

/* A descriptor that is readable when something was written to the logs. */
static int watch_files(const struct sb_logs *logs, struct sb_err *err)
{
	_cleanup_fd_ int fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	char path[32];

	for (int i = 0; i < 2; i++) {
		snprintf(path, sizeof(path), "/proc/self/fd/%d", logs->fds[i]);
		if (fd < 0 || (logs->fds[i] >= 0 && inotify_add_watch(fd, path, IN_MODIFY) < 0))
			return sb_err_set(err, errno, "watch the log");
	}
	return sb_steal_fd(&fd);
}

/**
 * sb_logs_follow() - Copy what is in the logs, and what is added until the session has ended
 * @home:	home
 * @id:		valid id of its sandbox
 * @exec:	its number
 * @logs:	its logs
 *
 * Goes to our standard output and error.
 *
 * Return: 0, or a negative errno value
 */
int sb_logs_follow(const struct sb_home *home, const char *id, int exec, const struct sb_logs *logs,
		   struct sb_err *err)
{
	const int to[2] = { STDOUT_FILENO, STDERR_FILENO };
	int64_t offset[2] = { logs->from[0], logs->from[1] };
	_cleanup_fd_ int conn = sb_client_connect(home, id, err);
	_cleanup_fd_ int changes = -1;
	char events[4096];

	if (conn == -ENOTCONN) /* the sandbox has ended: nothing will be added */
		return copy_both(logs, offset, to, err);
	changes = conn < 0 ? -1 : watch_files(logs, err);
	if (changes < 0 || sb_client_send(conn, json_pack("{s:s, s:i}", "op", "wait", "exec", exec),
					  NULL, 0, err) < 0)
		return -err->code;
	for (;;) {
		struct pollfd p[] = { { .fd = conn, .events = POLLIN },
				      { .fd = changes, .events = POLLIN } };

		if (copy_both(logs, offset, to, err) < 0)
			return -err->code;
		if (poll(p, SB_ARRAY_SIZE(p), -1) < 0 && errno != EINTR)
			return sb_err_set(err, errno, "wait for the log");
		while (read(changes, events, sizeof(events)) > 0)
			;
		if (p[0].revents)
			return copy_both(logs, offset, to, err);
	}
}
