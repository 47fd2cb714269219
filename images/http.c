/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http.c - one HTTP request at a time, with a limit for everything that may come back
 *
 * By libcurl. Each thread takes a handle from a pool for the time of one request; handles keep
 * their connections, and share names and TLS sessions. HTTP/1.1 only: a large blob has a connection
 * of its own anyway, and the protocol code that a stranger can reach stays small.
 *
 * libcurl sends a custom Authorization header only to the host, port and protocol of the first URL
 * (CURLOPT_UNRESTRICTED_AUTH(3)); tests/unit/test_image_registry.c holds it to that.
 */
#include "images/http.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <curl/curl.h>

#include "images/transport.h"
#include "images/trust.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/err.h"

#define IDLE_MAX          8            /* handles kept */
#define REDIRECTS_MAX     5            /* a CDN needs one or two */
#define CONNECT_MS        15000L       /* all addresses of the name together */
#define STALL_SECONDS     30L          /* without a byte */
#define BUFFER_BYTES      (512L << 10) /* libcurl's largest; 1.5 times the speed of its default */
#define HEADERS_MAX_BYTES (256 << 10)
#define ERROR_MAX_BYTES   (8 << 10) /* of the body of a refusal; the rest is not waited for */

struct sb_http {
	bool (*cancelled)(void *ctx);
	void *ctx;
	pthread_mutex_t lock; /* of the pool */
	CURL *idle[IDLE_MAX];
	size_t n_idle;
	CURLSH *share;
	pthread_mutex_t share_locks[CURL_LOCK_DATA_LAST];
};

/* One request on its way. */
struct transfer {
	const struct sb_http *http;
	const struct sb_http_request *request;
	struct sb_http_answer *answer;
	CURL *easy;
	size_t header_bytes;
	size_t size; /* of answer->body */
	struct sb_err *err;
};

static void share_lock(CURL *easy, curl_lock_data data, curl_lock_access how, void *arg)
{
	struct sb_http *http = arg;

	(void)easy;
	(void)how;
	(void)pthread_mutex_lock(&http->share_locks[data]);
}

static void share_unlock(CURL *easy, curl_lock_data data, void *arg)
{
	struct sb_http *http = arg;

	(void)easy;
	(void)pthread_mutex_unlock(&http->share_locks[data]);
}

/**
 * sb_http_new() - Make a pool of connections
 * @cancelled:	polled during requests, true ends them; NULL: never
 * @ctx:	for it
 *
 * Return: the pool, freed by sb_http_free(), or NULL with @err set
 */
struct sb_http *sb_http_new(bool (*cancelled)(void *ctx), void *ctx, struct sb_err *err)
{
	struct sb_http *http = calloc(1, sizeof(*http));

	if (!http || curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
		free(http);
		sb_err_set(err, ENOMEM, "prepare for HTTP");
		return NULL;
	}
	http->cancelled = cancelled;
	http->ctx = ctx;
	(void)pthread_mutex_init(&http->lock, NULL);
	for (size_t i = 0; i < SB_ARRAY_SIZE(http->share_locks); i++)
		(void)pthread_mutex_init(&http->share_locks[i], NULL);
	http->share = curl_share_init();
	if (!http->share) {
		sb_http_free(http);
		sb_err_set(err, ENOMEM, "prepare for HTTP");
		return NULL;
	}
	(void)curl_share_setopt(http->share, CURLSHOPT_LOCKFUNC, share_lock);
	(void)curl_share_setopt(http->share, CURLSHOPT_UNLOCKFUNC, share_unlock);
	(void)curl_share_setopt(http->share, CURLSHOPT_USERDATA, http);
	(void)curl_share_setopt(http->share, CURLSHOPT_SHARE, CURL_LOCK_DATA_DNS);
	(void)curl_share_setopt(http->share, CURLSHOPT_SHARE, CURL_LOCK_DATA_SSL_SESSION);
	return http;
}

/**
 * sb_http_free() - Close all connections
 * @http:	pool that no request uses any more, or NULL
 */
void sb_http_free(struct sb_http *http)
{
	if (!http)
		return;
	while (http->n_idle > 0)
		curl_easy_cleanup(http->idle[--http->n_idle]);
	(void)curl_share_cleanup(http->share);
	for (size_t i = 0; i < SB_ARRAY_SIZE(http->share_locks); i++)
		(void)pthread_mutex_destroy(&http->share_locks[i]);
	(void)pthread_mutex_destroy(&http->lock);
	free(http);
	curl_global_cleanup();
}

/**
 * sb_http_cancelled() - Whether the caller wants an end
 * @http:	pool
 *
 * Return: what the hook says
 */
bool sb_http_cancelled(const struct sb_http *http)
{
	return http->cancelled && http->cancelled(http->ctx);
}

static CURL *take_handle(struct sb_http *http)
{
	CURL *easy = NULL;

	(void)pthread_mutex_lock(&http->lock);
	if (http->n_idle > 0)
		easy = http->idle[--http->n_idle];
	(void)pthread_mutex_unlock(&http->lock);
	return easy ? easy : curl_easy_init();
}

static void give_handle(struct sb_http *http, CURL *easy)
{
	curl_easy_reset(easy); /* keeps connections; forgets pointers into this request */
	(void)pthread_mutex_lock(&http->lock);
	if (http->n_idle < IDLE_MAX) {
		http->idle[http->n_idle++] = easy;
		easy = NULL;
	}
	(void)pthread_mutex_unlock(&http->lock);
	if (easy)
		curl_easy_cleanup(easy);
}

/* If @line is the header @name: its value without blanks around it; else NULL. */
static const char *header_value(const char *line, size_t len, const char *name, size_t *ret_len)
{
	size_t name_len = strlen(name);

	if (len <= name_len || line[name_len] != ':' || strncasecmp(line, name, name_len) != 0)
		return NULL;
	line += name_len + 1;
	len -= name_len + 1;
	for (; len > 0 && isspace((unsigned char)*line); len--)
		line++;
	for (; len > 0 && isspace((unsigned char)line[len - 1]); len--)
		;
	*ret_len = len;
	return line;
}

static void take_header(struct sb_http_answer *a, const char *line, size_t len)
{
	const struct {
		const char *name;
		char *buf;
		size_t size;
	} plain[] = {
		{ "Content-Range", a->content_range, sizeof(a->content_range) },
		{ "Retry-After", a->retry_after, sizeof(a->retry_after) },
	};
	const char *v;
	size_t n;

	for (size_t i = 0; i < SB_ARRAY_SIZE(plain); i++)
		if ((v = header_value(line, len, plain[i].name, &n)) != NULL)
			snprintf(plain[i].buf, plain[i].size, "%.*s", (int)n, v);
	if ((v = header_value(line, len, "Warning", &n)) != NULL && !a->warning[0])
		snprintf(a->warning, sizeof(a->warning), "%.*s", (int)n, v);
	if ((v = header_value(line, len, "Content-Type", &n)) != NULL) {
		size_t i = 0;

		for (; i < n && i < sizeof(a->type) - 1 && !strchr("; \t", v[i]); i++)
			a->type[i] = (char)tolower((unsigned char)v[i]);
		a->type[i] = '\0';
	}
	if ((v = header_value(line, len, "Docker-Content-Digest", &n)) != NULL) {
		char digest[SB_DIGEST_SIZE];

		snprintf(digest, sizeof(digest), "%.*s", (int)n, v);
		if (n == SB_DIGEST_LEN && sb_digest_is_valid(digest))
			memcpy(a->digest, digest, sizeof(digest));
	}
	if ((v = header_value(line, len, "WWW-Authenticate", &n)) != NULL) {
		size_t used = strlen(a->challenges);

		/* One that does not fit is left out whole: half of it could mean another. */
		if (used + n + 3 <= sizeof(a->challenges))
			snprintf(a->challenges + used, sizeof(a->challenges) - used, "%s%.*s",
				 used ? ", " : "", (int)n, v);
	}
}

/* CURLOPT_HEADERFUNCTION: each header line of each answer, also of redirections and 1xx. */
static size_t on_header(char *line, size_t one, size_t len, void *arg)
{
	struct transfer *t = arg;
	struct sb_http_answer *a = t->answer;

	(void)one;
	t->header_bytes += len;
	if (t->header_bytes > HEADERS_MAX_BYTES) {
		sb_err_refuse(t->err, EMSGSIZE, "the headers of the answer are too long");
		return 0;
	}
	if (len >= 5 && !memcmp(line, "HTTP/", 5)) { /* another answer: forget the one before */
		a->type[0] = a->digest[0] = a->challenges[0] = '\0';
		a->content_range[0] = a->retry_after[0] = a->warning[0] = '\0';
		a->length = -1;
	}
	take_header(a, line, len);
	return len;
}

/* Keep a piece of the body in memory. */
static int keep(struct transfer *t, const char *data, size_t len)
{
	struct sb_http_answer *a = t->answer;
	size_t max = a->status >= 400 ? ERROR_MAX_BYTES : t->request->body_max;
	bool too_long = len > max - a->len;

	if (too_long && a->status < 400)
		return sb_err_refuse(t->err, EMSGSIZE, "the answer is longer than %zu bytes", max);
	if (too_long)
		len = max - a->len;
	if (a->len + len + 1 > t->size) {
		size_t size = (a->len + len + 1) * 2 < max + 1 ? (a->len + len + 1) * 2 : max + 1;
		char *p = realloc(a->body, size);

		if (!p)
			return sb_err_set(t->err, ENOMEM, "keep the answer");
		a->body = p;
		t->size = size;
	}
	memcpy(a->body + a->len, data, len);
	a->len += len;
	a->body[a->len] = '\0';
	return too_long ? -EMSGSIZE : 0;
}

/* CURLOPT_WRITEFUNCTION. Whatever is not @len ends the transfer with CURLE_WRITE_ERROR. */
static size_t on_data(char *data, size_t one, size_t len, void *arg)
{
	struct transfer *t = arg;
	struct sb_http_answer *a = t->answer;
	curl_off_t length = -1;
	int r;

	(void)one;
	(void)curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &a->status);
	if (curl_easy_getinfo(t->easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length) == CURLE_OK)
		a->length = length;
	if (t->request->write && (a->status == 200 || a->status == 206))
		r = t->request->write(t->request->ctx, a, data, len, t->err);
	else
		r = keep(t, data, len);
	return r < 0 ? CURL_WRITEFUNC_ERROR : len;
}

static int on_progress(void *arg, curl_off_t down_all, curl_off_t down, curl_off_t up_all,
		       curl_off_t up)
{
	const struct transfer *t = arg;

	(void)down_all;
	(void)down;
	(void)up_all;
	(void)up;
	return sb_http_cancelled(t->http) ? 1 : 0;
}

static CURLcode on_ssl_ctx(CURL *easy, void *ssl_ctx, void *arg)
{
	(void)easy;
	sb_trust_use(arg, ssl_ctx);
	return CURLE_OK;
}

static void set_limits(CURL *easy, const struct sb_http_peer *peer)
{
	const char *protocols = peer->plain_allowed ? "http,https" : "https";

	(void)curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, protocols);
	(void)curl_easy_setopt(easy, CURLOPT_REDIR_PROTOCOLS_STR, protocols);
	(void)curl_easy_setopt(easy, CURLOPT_MAXREDIRS, (long)REDIRECTS_MAX);
	(void)curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	(void)curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	(void)curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_MS);
	(void)curl_easy_setopt(easy, CURLOPT_LOW_SPEED_LIMIT, 1L);
	(void)curl_easy_setopt(easy, CURLOPT_LOW_SPEED_TIME, STALL_SECONDS);
	(void)curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, BUFFER_BYTES);
	(void)curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
	(void)curl_easy_setopt(easy, CURLOPT_USERAGENT, "sbrun/" SBRUN_VERSION);
	if (peer->direct)
		(void)curl_easy_setopt(easy, CURLOPT_NOPROXY, "*");
	if (peer->insecure) {
		(void)curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 0L);
		(void)curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 0L);
		return;
	}
	/* Instead of the files that libcurl would read for each connection. */
	(void)curl_easy_setopt(easy, CURLOPT_CAINFO, NULL);
	(void)curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
	(void)curl_easy_setopt(easy, CURLOPT_SSL_CTX_FUNCTION, on_ssl_ctx);
	(void)curl_easy_setopt(easy, CURLOPT_SSL_CTX_DATA, peer->trust);
}

/* Append "name: value"; false without memory, with the list as it was. */
static bool add_header(struct curl_slist **list, const char *name, const char *value)
{
	_cleanup_free_ char *line = NULL;
	struct curl_slist *longer;
	int len = asprintf(&line, "%s: %s", name, value);

	if (len < 0) {
		line = NULL;
		return false;
	}
	longer = curl_slist_append(*list, line);
	explicit_bzero(line, (size_t)len);
	if (longer)
		*list = longer;
	return longer != NULL;
}

static void free_headers(struct curl_slist *list)
{
	for (struct curl_slist *l = list; l; l = l->next)
		explicit_bzero(l->data, strlen(l->data));
	curl_slist_free_all(list);
}

/* What distinguishes one request from another. Returns false without memory. */
static bool set_request(CURL *easy, const struct sb_http_request *q, struct curl_slist **headers)
{
	char range[32];

	(void)curl_easy_setopt(easy, CURLOPT_URL, q->url);
	/* A POST carries credentials in its body: nobody may lead it to another place. */
	(void)curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, q->form ? 0L : 1L);
	if (q->form)
		(void)curl_easy_setopt(easy, CURLOPT_POSTFIELDS, q->form);
	if (q->head)
		(void)curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
	snprintf(range, sizeof(range), "%llu-", (unsigned long long)q->from);
	if (q->from > 0)
		(void)curl_easy_setopt(easy, CURLOPT_RANGE, range);
	if (q->authorization && !add_header(headers, "Authorization", q->authorization))
		return false;
	if (q->accept && !add_header(headers, "Accept", q->accept))
		return false;
	return curl_easy_setopt(easy, CURLOPT_HTTPHEADER, *headers) == CURLE_OK;
}

static CURLcode run(struct transfer *t, struct sb_http *http)
{
	char detail[CURL_ERROR_SIZE] = "";
	struct curl_slist *headers = NULL;
	CURLcode code = CURLE_OUT_OF_MEMORY;

	set_limits(t->easy, t->request->peer);
	(void)curl_easy_setopt(t->easy, CURLOPT_SHARE, http->share);
	(void)curl_easy_setopt(t->easy, CURLOPT_ERRORBUFFER, detail);
	(void)curl_easy_setopt(t->easy, CURLOPT_HEADERFUNCTION, on_header);
	(void)curl_easy_setopt(t->easy, CURLOPT_HEADERDATA, t);
	(void)curl_easy_setopt(t->easy, CURLOPT_WRITEFUNCTION, on_data);
	(void)curl_easy_setopt(t->easy, CURLOPT_WRITEDATA, t);
	(void)curl_easy_setopt(t->easy, CURLOPT_NOPROGRESS, 0L);
	(void)curl_easy_setopt(t->easy, CURLOPT_XFERINFOFUNCTION, on_progress);
	(void)curl_easy_setopt(t->easy, CURLOPT_XFERINFODATA, t);
	if (set_request(t->easy, t->request, &headers))
		code = curl_easy_perform(t->easy);
	(void)curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &t->answer->status);
	/* Whoever we were sent to has no say in where our credentials go. */
	if (!sb_transport_at_home(t->easy, t->request->url))
		t->answer->challenges[0] = '\0';
	/* The rest of a refusal that is longer than anybody reads was not waited for. */
	if (code == CURLE_WRITE_ERROR && t->answer->status >= 400 && t->err->code == 0)
		code = CURLE_OK;
	if (code != CURLE_OK)
		sb_transport_failed(t->easy, code, detail, t->request->peer, t->answer, t->err);
	free_headers(headers);
	return code;
}

/**
 * sb_http_perform() - Make a request, follow redirections, take the answer
 * @http:	pool
 * @request:	what to ask for
 * @ret:	initialised; what came back, also in part after a failure (@transient, @no_tls)
 *
 * Any status is a success: what it means is the caller's matter.
 *
 * Return: 0, or a negative errno value (-ECANCELED, -EMSGSIZE: longer than allowed, those of
 * @request->write and those of sb_transport_failed())
 */
int sb_http_perform(struct sb_http *http, const struct sb_http_request *request,
		    struct sb_http_answer *ret, struct sb_err *err)
{
	struct sb_err failure = SB_ERR_INIT;
	struct transfer t = { .http = http, .request = request, .answer = ret, .err = &failure };
	CURLcode code;

	t.easy = take_handle(http);
	if (!t.easy)
		return sb_err_set(err, ENOMEM, "prepare for HTTP");
	code = run(&t, http);
	give_handle(http, t.easy);
	if (code == CURLE_OK)
		return 0;
	*err = failure;
	return -err->code;
}

/**
 * sb_http_answer_done() - Release an answer; it is as new afterwards
 * @answer:	answer
 */
void sb_http_answer_done(struct sb_http_answer *answer)
{
	if (answer->body)
		explicit_bzero(answer->body, answer->len); /* it may be a token */
	free(answer->body);
	*answer = (struct sb_http_answer)SB_HTTP_ANSWER_INIT;
}

/**
 * sb_http_is_loopback() - Whether a host is this machine, whatever name servers say
 * @host:	host with or without a port, perhaps followed by a path
 *
 * Return: true for localhost, 127.0.0.0/8 and [::1]
 */
bool sb_http_is_loopback(const char *host)
{
	size_t len = *host == '[' ? strcspn(host, "]") + 1 : strcspn(host, ":/?");
	char text[INET6_ADDRSTRLEN + 2];
	struct in6_addr a6;
	struct in_addr a4;

	if (len >= sizeof(text))
		return false;
	snprintf(text, sizeof(text), "%.*s", (int)len, host);
	if (*host == '[') {
		text[len - 1] = '\0';
		return inet_pton(AF_INET6, text + 1, &a6) == 1 && IN6_IS_ADDR_LOOPBACK(&a6);
	}
	if (inet_pton(AF_INET, text, &a4) == 1)
		return ntohl(a4.s_addr) >> 24 == 127;
	return !strcasecmp(text, "localhost");
}

/**
 * sb_http_escape() - Make a text fit for a query or a form
 * @text:	text
 * @buf:	all but letters, digits and "-._~" as %XX (RFC 3986 section 2.3)
 * @size:	its size
 *
 * Return: 0, or -EMSGSIZE if it does not fit
 */
int sb_http_escape(const char *text, char *buf, size_t size)
{
	size_t n = 0;

	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;
		bool plain = isalnum(c) || strchr("-._~", c);

		if (n + 4 > size)
			return -EMSGSIZE;
		n += (size_t)snprintf(buf + n, size - n, plain ? "%c" : "%%%02X", c);
	}
	buf[n] = '\0';
	return 0;
}

/**
 * sb_http_shown() - What a server says, fit for a terminal and for JSON
 * @text:	bytes
 * @len:	how many
 * @buf:	'?' stands for what is not printable ASCII; cut, with "..." at the end, if it is
 * long
 * @size:	its size, at least 4
 *
 * Return: @buf
 */
const char *sb_http_shown(const char *text, size_t len, char *buf, size_t size)
{
	size_t n = len < size ? len : size - 1;

	for (size_t i = 0; i < n; i++)
		buf[i] = text[i] >= 0x20 && text[i] < 0x7f ? text[i] : '?';
	buf[n] = '\0';
	if (len > n)
		memcpy(buf + n - 3, "...", 3);
	return buf;
}
