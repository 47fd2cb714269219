/* SPDX-License-Identifier: Apache-2.0 */
/* session.c - sessions as `run` and `exec` both start them */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/err.h"
#include "runtime/base/json.h"
#include "runtime/cli/cli.h"
#include "runtime/sandbox/attach.h"
#include "runtime/sandbox/client.h"

#define CAPTURE_MAX (10 << 20) /* of each stream; what is beyond is dropped and marked */

/**
 * sb_session_request() - Begin a request to run a program
 * @argv:	program and arguments; borrowed
 * @argc:	how many
 *
 * Return: {"args": […]} that the caller drops, or NULL with @err set (EILSEQ: not UTF-8)
 */
json_t *sb_session_request(const char *const argv[], int argc, struct sb_err *err)
{
	json_t *args = json_array(), *request;

	for (int i = 0; i < argc; i++) {
		json_t *s = json_string(argv[i]);

		if (!s) {
			json_decref(args);
			sb_err_refuse(err, EILSEQ, "the command is not UTF-8");
			return NULL;
		}
		(void)json_array_append_new(args, s);
	}
	request = args ? json_pack("{s:o}", "args", args) : NULL;
	if (!request)
		sb_err_set(err, ENOMEM, "describe the command");
	return request;
}

/**
 * struct capture - one captured stream
 * @fd:		pipe; -1 once it has ended
 * @data:	what was read
 * @len:	its length
 * @truncated:	more was written
 */
struct capture {
	int fd;
	char *data;
	size_t len;
	bool truncated;
};

static void capture_done(struct capture *c)
{
	sb_close_fd(&c->fd);
	free(c->data);
}

static void capture_read(struct capture *c)
{
	char buf[65536];
	ssize_t n = read(c->fd, buf, sizeof(buf));
	size_t keep;
	char *p;

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	if (n <= 0) {
		sb_close_fd(&c->fd);
		return;
	}
	keep = (size_t)n < CAPTURE_MAX - c->len ? (size_t)n : CAPTURE_MAX - c->len;
	p = realloc(c->data, c->len + keep + 1);
	if (p) {
		c->data = p;
		memcpy(c->data + c->len, buf, keep);
		c->len += keep;
	} else {
		keep = 0;
	}
	c->truncated |= keep < (size_t)n;
}

static void add_stream(json_t *result, const char *key, const struct capture *c)
{
	json_t *text = json_stringn(c->data ? c->data : "", c->len);
	char name[32];

	if (!text)
		text = sb_out_base64(c->data, c->len, result, key);
	(void)json_object_set_new(result, key, text);
	snprintf(name, sizeof(name), "%sTruncated", key);
	(void)json_object_set_new(result, name, json_boolean(c->truncated));
}

/* Read both streams until the session has ended, and then what is still in them. */
static int capture_all(int conn, struct capture streams[2], json_t **ret, struct sb_err *err)
{
	_cleanup_json_ json_t *msg = NULL;
	json_t *info = NULL;

	while (!info) {
		struct pollfd p[] = { { .fd = conn, .events = POLLIN },
				      { .fd = streams[0].fd, .events = POLLIN },
				      { .fd = streams[1].fd, .events = POLLIN } };

		if (poll(p, SB_ARRAY_SIZE(p), -1) < 0 && errno != EINTR)
			return sb_err_set(err, errno, "wait for the session");
		for (int i = 0; i < 2; i++)
			if (p[i + 1].revents)
				capture_read(&streams[i]);
		if (!p[0].revents)
			continue;
		json_decref(msg);
		msg = NULL;
		if (sb_client_recv(conn, &msg, NULL, err) < 0)
			return -err->code;
		info = json_object_get(msg, "exited");
	}
	/* What it wrote is in the pipes: 64 KiB each, pipe(7). Not until they are empty: processes
	 * that it left behind may write on. */
	for (int i = 0; i < 4; i++) {
		struct pollfd p = { .fd = streams[i / 2].fd, .events = POLLIN };

		if (p.fd >= 0 && poll(&p, 1, 0) > 0)
			capture_read(&streams[i / 2]);
	}
	*ret = json_incref(info);
	return 0;
}

/* Run a program and keep what it writes: @ret is its record with "stdout", "stderr", "success". */
static int capture(int conn, json_t *request, bool interactive, json_t **ret, struct sb_err *err)
{
	_cleanup_(capture_done) struct capture out = { .fd = -1 };
	_cleanup_(capture_done) struct capture errors = { .fd = -1 };
	struct capture streams[2] = { { .fd = -1 }, { .fd = -1 } };
	int o[2], e[2], stdin_fd = STDIN_FILENO, ret_code;

	if (!interactive)
		stdin_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (stdin_fd < 0 || pipe2(o, O_CLOEXEC) < 0 || pipe2(e, O_CLOEXEC) < 0) {
		json_decref(request);
		return sb_err_set(err, errno, "capture the output");
	}
	streams[0].fd = o[0];
	streams[1].fd = e[0];
	(void)json_object_set_new(request, "op", json_string("exec"));
	ret_code = sb_client_send(conn, request, (int[]){ stdin_fd, o[1], e[1] }, 3, err);
	(void)close(o[1]);
	(void)close(e[1]);
	if (!interactive)
		(void)close(stdin_fd);
	if (ret_code == 0)
		ret_code = capture_all(conn, streams, ret, err);
	out = streams[0];
	errors = streams[1];
	if (ret_code < 0)
		return ret_code;
	add_stream(*ret, "stdout", &out);
	add_stream(*ret, "stderr", &errors);
	(void)json_object_set_new(
		*ret, "success",
		json_boolean(json_integer_value(json_object_get(*ret, "exitCode")) == 0));
	return 0;
}

/**
 * sb_session_run() - Run a program in a sandbox as the user wants to see it
 * @cli:	call; with --json the output of a foreground program without a terminal is captured
 * @conn:	connection to the monitor; borrowed
 * @request:	{"args", …}; taken over
 * @how:	what the user asked for
 * @ret:	record of the session; the caller drops it
 *
 * Return: its exit code (0 in the background), or a negative errno value as from sb_attach_exec()
 */
int sb_session_run(const struct sb_cli *cli, int conn, json_t *request, const struct sb_attach *how,
		   json_t **ret, struct sb_err *err)
{
	int r;

	if (cli->json && !how->background && !how->tty)
		r = capture(conn, request, how->interactive, ret, err);
	else
		r = sb_attach_exec(conn, request, how, ret, err);
	if (r < 0)
		return r;
	if (cli->json)
		sb_out_json(json_incref(*ret));
	if (how->background)
		return 0;
	return (int)json_integer_value(json_object_get(*ret, "exitCode"));
}
