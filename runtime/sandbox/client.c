/* SPDX-License-Identifier: Apache-2.0 */
/* client.c - talking to a sandbox's monitor */
#include "runtime/sandbox/client.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/json.h"
#include "runtime/sandbox/home.h"
#include "runtime/sandbox/monitor.h"
#include "runtime/sandbox/record.h"

/**
 * sb_client_gone() - The monitor does not answer (any more): wait until it has recorded the end
 * @home:	home
 * @id:		valid id
 *
 * Return: -ENOTCONN with the words for it; the record is final then
 */
int sb_client_gone(const struct sb_home *home, const char *id, struct sb_err *err)
{
	_cleanup_record_ struct sb_record rec = SB_RECORD_INIT;

	if (sb_record_load(home, id, &rec, err) == 0 && rec.status != SB_STATUS_CREATING)
		(void)sb_home_await_end(home, id, true, err);
	return sb_err_refuse(err, ENOTCONN, "sandbox '%s' is not running", id);
}

/**
 * sb_client_connect() - Connect to the monitor of a sandbox
 * @home:	home
 * @id:		valid id
 *
 * If the sandbox is about to end, waits until it has ended: its record is final after -ENOTCONN.
 *
 * Return: a blocking socket, or a negative errno value (-ENOTCONN: the sandbox is not running)
 */
int sb_client_connect(const struct sb_home *home, const char *id, struct sb_err *err)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	_cleanup_fd_ int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	int room = SB_REQUEST_MAX + 4096;

	if (fd < 0)
		return sb_err_set(err, errno, "make a socket");
	/* By descriptor: sun_path is shorter than a path may be. */
	snprintf(addr.sun_path, sizeof(addr.sun_path), "/proc/self/fd/%d/%s/control", home->run_fd,
		 id);
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof(room));
	if (connect(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0) {
		if (errno != ENOENT && errno != ECONNREFUSED)
			return sb_err_set(err, errno, "connect to the monitor of '%s'", id);
		return sb_client_gone(home, id, err);
	}
	return sb_steal_fd(&fd);
}

/**
 * sb_client_send() - Send one message
 * @conn:	connection
 * @message:	taken over, also on failure; NULL means that there was no memory for it
 * @fds:	descriptors that go with it; borrowed
 * @n_fds:	how many
 *
 * Return: 0, or a negative errno value (-EMSGSIZE: over SB_REQUEST_MAX)
 */
int sb_client_send(int conn, json_t *message, const int *fds, size_t n_fds, struct sb_err *err)
{
	_cleanup_free_ char *text = message ? json_dumps(message, JSON_COMPACT) : NULL;
	int ret;

	json_decref(message);
	if (!text)
		return sb_err_set(err, ENOMEM, "write a message to the monitor");
	if (strlen(text) > SB_REQUEST_MAX)
		return sb_err_refuse(err, EMSGSIZE, "send %zu bytes to the monitor", strlen(text));
	ret = sb_send_fds(conn, text, strlen(text), fds, n_fds);
	return ret < 0 ? sb_err_set(err, -ret, "send to the monitor") : 0;
}

/**
 * sb_client_recv() - Receive one message
 * @conn:	connection
 * @ret:	message; the caller drops it
 * @ret_fd:	descriptor that came with it, owned by the caller, or -1; NULL if none is expected
 *
 * Return: 0, the error that the monitor reports, or a negative errno value (-EPIPE: the monitor has
 * ended)
 */
int sb_client_recv(int conn, json_t **ret, int *ret_fd, struct sb_err *err)
{
	_cleanup_json_ json_t *reply = NULL;
	_cleanup_free_ char *buf = NULL;
	int fds[SB_FDS_MAX];
	size_t n_fds;
	ssize_t size, n;

	/* A monitor that ends without having read all we sent resets the connection. The kernel
	 * tells that once, before what the monitor has said itself (net/unix/af_unix.c,
	 * unix_release_sock()). */
	do
		size = recv(conn, NULL, 0, MSG_PEEK | MSG_TRUNC);
	while (size < 0 && (errno == EINTR || errno == ECONNRESET));
	if (size < 0)
		return sb_err_set(err, errno, "receive from the monitor");
	if (size <= 0)
		return sb_err_refuse(err, EPIPE, "the monitor of the sandbox has ended");
	buf = malloc((size_t)size);
	if (!buf)
		return sb_err_set(err, ENOMEM, "receive %zd bytes", size);
	do
		n = sb_recv_fds(conn, buf, (size_t)size, fds, &n_fds);
	while (n == -ECONNRESET);
	if (n <= 0)
		return sb_err_set(err, n < 0 ? (int)-n : EPIPE, "receive from the monitor");
	while (n_fds > (ret_fd ? 1 : 0))
		(void)close(fds[--n_fds]);
	if (ret_fd)
		*ret_fd = n_fds ? fds[0] : -1;
	if (sb_json_parse(buf, (size_t)n, &reply, err) < 0)
		return sb_err_prefix(err, "answer of the monitor");
	if (json_object_get(reply, "error"))
		return sb_json_to_err(reply, err);
	*ret = sb_steal_ptr(&reply);
	return 0;
}

/**
 * sb_client_request() - Ask a monitor for something
 * @home:	home
 * @id:		valid id
 * @request:	taken over
 * @ret:	answer; the caller drops it
 *
 * Return: 0, or a negative errno value: -ENOTCONN also if the sandbox ended before it could answer,
 * with the end recorded; else as sb_client_send() and sb_client_recv()
 */
int sb_client_request(const struct sb_home *home, const char *id, json_t *request, json_t **ret,
		      struct sb_err *err)
{
	_cleanup_fd_ int conn = sb_client_connect(home, id, err);

	if (conn < 0) {
		json_decref(request);
		return conn;
	}
	if (sb_client_send(conn, request, NULL, 0, err) == 0 &&
	    sb_client_recv(conn, ret, NULL, err) == 0)
		return 0;
	return err->code == EPIPE ? sb_client_gone(home, id, err) : -err->code;
}
