/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http_bed.h - a small HTTP server on [::1] for tests: a handler answers, requests are remembered
 */
#ifndef SB_TESTS_HTTP_BED_H
#define SB_TESTS_HTTP_BED_H

#include <netinet/in.h>
#include <pthread.h>
#include <stdbool.h>
#include <sys/socket.h>

#include "tests/unit/unit.h"

#define BED_REQUESTS_MAX 64
#define BED_REQUEST_SIZE 4096

/**
 * struct bed - the server; requests with what follows is a "200" without a body by default
 * @listener:	socket
 * @host:	"[::1]:port"
 * @thread:	serves one connection after the other, each for one request
 * @answer:	writes the answer to @conn; @n is the number of the request, from 0
 * @ctx:	for @answer
 * @requests:	head and body of each, as they came
 * @n_requests:	how many
 * @tls_hellos:	connections that began with TLS, answered as plain servers do
 */
struct bed {
	int listener;
	char host[32];
	pthread_t thread;
	void (*answer)(struct bed *bed, int conn, const char *request, int n);
	void *ctx;
	char requests[BED_REQUESTS_MAX][BED_REQUEST_SIZE];
	int n_requests;
	int tls_hellos;
};

/* Send a formatted text. */
static inline void bed_say(int conn, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static inline void bed_say(int conn, const char *fmt, ...)
{
	char text[8192];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	assert_true(n < (int)sizeof(text));
	(void)send(conn, text, (size_t)n, MSG_NOSIGNAL);
}

/* A whole answer. @headers end each with CRLF. */
static inline void bed_answer(int conn, const char *status, const char *headers, const char *body)
{
	bed_say(conn, "HTTP/1.1 %s\r\nConnection: close\r\nContent-Length: %zu\r\n%s\r\n%s", status,
		strlen(body), headers, body);
}

/* Read until the end of the head, and of the body if there is one. */
static inline bool bed_read(int conn, char *buf)
{
	size_t len = 0;

	while (len < BED_REQUEST_SIZE - 1) {
		ssize_t n = recv(conn, buf + len, BED_REQUEST_SIZE - 1 - len, 0);
		const char *end, *length;

		if (n <= 0)
			return false;
		len += (size_t)n;
		buf[len] = '\0';
		if (buf[0] == 0x16) /* TLS handshake record */
			return true;
		end = strstr(buf, "\r\n\r\n");
		length = strstr(buf, "Content-Length: ");
		if (end && (!length || strlen(end + 4) >= strtoul(length + 16, NULL, 10)))
			return true;
	}
	return false;
}

static inline void *bed_serve(void *arg)
{
	struct bed *bed = arg;
	int conn;

	while ((conn = accept4(bed->listener, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
		int n = bed->n_requests;

		if (n < BED_REQUESTS_MAX && bed_read(conn, bed->requests[n])) {
			if (bed->requests[n][0] == 0x16) {
				bed->tls_hellos++;
				bed_say(conn, "HTTP/1.0 400 Bad Request\r\n\r\n");
			} else {
				bed->n_requests++;
				bed->answer(bed, conn, bed->requests[n], n);
			}
		}
		/* What was not read would turn the end of the answer into a reset. */
		(void)shutdown(conn, SHUT_WR);
		close(conn);
	}
	return NULL;
}

static inline struct bed *bed_start(void (*answer)(struct bed *, int, const char *, int), void *ctx)
{
	struct sockaddr_in6 sin6 = { .sin6_family = AF_INET6, .sin6_addr = in6addr_loopback };
	socklen_t len = sizeof(sin6);
	struct bed *bed = calloc(1, sizeof(*bed));

	bed->answer = answer;
	bed->ctx = ctx;
	bed->listener = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(bed->listener >= 0);
	assert_int_equal(bind(bed->listener, (struct sockaddr *)&sin6, len), 0);
	assert_int_equal(listen(bed->listener, 16), 0);
	assert_int_equal(getsockname(bed->listener, (struct sockaddr *)&sin6, &len), 0);
	snprintf(bed->host, sizeof(bed->host), "[::1]:%u", ntohs(sin6.sin6_port));
	assert_int_equal(pthread_create(&bed->thread, NULL, bed_serve, bed), 0);
	return bed;
}

static inline void bed_stop(struct bed *bed)
{
	(void)shutdown(bed->listener, SHUT_RDWR); /* wakes accept(2) */
	(void)pthread_join(bed->thread, NULL);
	close(bed->listener);
	free(bed);
}

/* Whether request @n has @text in it. */
static inline bool bed_was_told(const struct bed *bed, int n, const char *text)
{
	return n < bed->n_requests && strstr(bed->requests[n], text) != NULL;
}

#endif /* SB_TESTS_HTTP_BED_H */
