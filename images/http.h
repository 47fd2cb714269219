/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http.h - one HTTP request at a time, with a limit for everything that may come back
 */
#ifndef SB_IMAGES_HTTP_H
#define SB_IMAGES_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "images/digest.h"

struct sb_err;
struct sb_http;
struct sb_trust;

#define SB_HTTP_URL_SIZE 2048 /* room for a URL that we make */

/**
 * struct sb_http_peer - whom we trust on the other side
 * @insecure:		TLS is not verified
 * @plain_allowed:	plain HTTP is allowed, also in redirections
 * @own_ca:		@trust is what the user has configured, not the system's
 * @direct:		no proxy is used, whatever the environment says
 * @trust:		certificates to verify with, borrowed; not looked at if @insecure
 */
struct sb_http_peer {
	bool insecure;
	bool plain_allowed;
	bool own_ca;
	bool direct;
	struct sb_trust *trust;
};

/**
 * struct sb_http_answer - what came back; release with sb_http_answer_done()
 * @status:		of the last answer after redirections; 0 if there was none
 * @length:		Content-Length, -1 if unknown
 * @type:		Content-Type without parameters, in lower case
 * @digest:		Docker-Content-Digest, "" if there is none that is valid
 * @challenges:		all WWW-Authenticate headers, joined by commas; not those of other hosts
 * @content_range:	Content-Range
 * @retry_after:	Retry-After
 * @warning:		the first Warning
 * @body:		with a NUL appended, owned; NULL if it went to the request's @write
 * @len:		its length
 * @transient:		of a request that failed: it may succeed another time
 * @no_tls:		likewise: nobody speaks TLS there
 */
struct sb_http_answer {
	long status;
	int64_t length;
	char type[128];
	char digest[SB_DIGEST_SIZE];
	char challenges[4096];
	char content_range[128];
	char retry_after[64];
	char warning[256];
	char *body;
	size_t len;
	bool transient;
	bool no_tls;
};

#define SB_HTTP_ANSWER_INIT  \
	{                    \
		.length = -1 \
	}

/**
 * struct sb_http_request - what to ask for; all borrowed
 * @url:		"https://…" or "http://…"
 * @peer:		how to talk to it
 * @authorization:	value of the header, never sent to another host; NULL: none
 * @accept:		value of the header; NULL: any
 * @form:		body of a POST, never sent to another place; NULL: GET
 * @head:		HEAD
 * @from:		first byte wanted (Range); 0: all
 * @body_max:		most bytes of a body kept in memory; a longer one is an error
 * @write:		takes the body of a 200 or 206 in pieces; NULL: kept in memory. A negative
 *			errno value with the error set ends the request
 * @ctx:		for it
 */
struct sb_http_request {
	const char *url;
	const struct sb_http_peer *peer;
	const char *authorization;
	const char *accept;
	const char *form;
	bool head;
	uint64_t from;
	size_t body_max;
	int (*write)(void *ctx, const struct sb_http_answer *answer, const void *data, size_t len,
		     struct sb_err *err);
	void *ctx;
};

struct sb_http *sb_http_new(bool (*cancelled)(void *ctx), void *ctx, struct sb_err *err);
void sb_http_free(struct sb_http *http);
bool sb_http_cancelled(const struct sb_http *http);
int sb_http_perform(struct sb_http *http, const struct sb_http_request *request,
		    struct sb_http_answer *ret, struct sb_err *err);
void sb_http_answer_done(struct sb_http_answer *answer);
bool sb_http_is_loopback(const char *host);
int sb_http_escape(const char *text, char *buf, size_t size);
const char *sb_http_shown(const char *text, size_t len, char *buf, size_t size);

#endif /* SB_IMAGES_HTTP_H */
