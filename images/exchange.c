/* SPDX-License-Identifier: Apache-2.0 */
/*
 * exchange.c - a question to a registry, with all that it takes to get an answer
 *
 * From the inside out: a request is made over TLS, or over plain HTTP where that is allowed and
 * nobody speaks TLS; a 401 is answered with credentials or a token; what may pass is tried again
 * after a pause; and what a mirror cannot give is asked of the next host.
 */
#include "images/exchange.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "images/refusal.h"
#include "images/retry.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/err.h"

#define AUTH_ROUNDS    3   /* as a stranger, with a token, with another if that was stale */
#define MIRRORS_SIZE   120 /* of the message about mirrors that failed */
#define WARNING_PREFIX "299 - \""

/* "<scheme>://host/v2/[prefix/]repository/path[?ns=host]" (OCI distribution-spec "Endpoints",
 * "Registry Proxying").
 */
static int make_url(const struct sb_registry *reg, const struct sb_exchange_host *host,
		    const char *path, bool tls, char *url)
{
	const struct sb_registry_host *h = &host->host;
	const char *scheme = tls ? "https" : "http";
	char ns[SB_REFERENCE_NAME_MAX * 3 + 4] = "";
	int n;

	if (h->ns && sb_http_escape(h->ns, ns, sizeof(ns)) < 0)
		return -EMSGSIZE;
	if (!path)
		n = snprintf(url, SB_HTTP_URL_SIZE, "%s://%s/v2/", scheme, h->host);
	else
		n = snprintf(url, SB_HTTP_URL_SIZE, "%s://%s/v2/%s%s%s/%s%s%s", scheme, h->host,
			     h->prefix, h->prefix[0] ? "/" : "", reg->repository, path,
			     h->ns ? "?ns=" : "", ns);
	return n < SB_HTTP_URL_SIZE ? 0 : -EMSGSIZE;
}

/* TLS first, plain HTTP where it is allowed and nobody speaks TLS; what worked is remembered. */
static int perform(struct sb_registry *reg, struct sb_exchange_host *host,
		   const struct sb_exchange *q, const char *authorization,
		   struct sb_http_answer *ret, struct sb_err *err)
{
	struct sb_http_request request = q->request;
	int scheme = atomic_load(&host->scheme);
	char url[SB_HTTP_URL_SIZE];
	int r;

	request.url = url;
	request.peer = &host->peer;
	request.authorization = authorization;
	if (make_url(reg, host, q->path, scheme != SB_EXCHANGE_PLAIN, url) < 0)
		return sb_err_refuse(err, EINVAL, "the URL at '%s' is too long", host->host.host);
	r = sb_http_perform(reg->http, &request, ret, err);
	/* Who has answered once does speak TLS, whatever a later host of a redirection does. */
	if (r == 0 && scheme == SB_EXCHANGE_UNKNOWN)
		atomic_store(&host->scheme, SB_EXCHANGE_TLS);
	if (r == 0 || scheme != SB_EXCHANGE_UNKNOWN || !host->peer.plain_allowed || !ret->no_tls ||
	    ret->status != 0)
		return r;
	sb_http_answer_done(ret);
	if (make_url(reg, host, q->path, false, url) < 0)
		return sb_err_refuse(err, EINVAL, "the URL at '%s' is too long", host->host.host);
	r = sb_http_perform(reg->http, &request, ret, err);
	if (r == 0)
		atomic_store(&host->scheme, SB_EXCHANGE_PLAIN);
	return r;
}

/* Whether a line is new; it is remembered then. */
static bool is_news(struct sb_registry *reg, const char *line)
{
	bool news = reg->n_warnings < SB_EXCHANGE_WARNINGS_MAX;

	(void)pthread_mutex_lock(&reg->lock);
	for (size_t i = 0; i < reg->n_warnings; i++)
		news = news && strcmp(reg->warnings[i], line) != 0;
	if (news) {
		reg->warnings[reg->n_warnings] = strdup(line);
		news = reg->warnings[reg->n_warnings] != NULL;
		reg->n_warnings += news;
	}
	(void)pthread_mutex_unlock(&reg->lock);
	return news;
}

/* Tell a warning of the registry, each text once (OCI distribution-spec "Warnings": 299 - "text").
 */
static void tell_warning(struct sb_registry *reg, const struct sb_exchange_host *host,
			 const struct sb_http_answer *answer)
{
	const size_t skip = sizeof(WARNING_PREFIX) - 1;
	char shown[200], line[sizeof(shown) + 160];
	const char *text = answer->warning + skip;

	if (!reg->hooks.notice || strncmp(answer->warning, WARNING_PREFIX, skip) != 0)
		return;
	(void)sb_http_shown(text, strcspn(text, "\""), shown, sizeof(shown));
	snprintf(line, sizeof(line), "'%.128s' warns: %s", host->host.host, shown);
	if (is_news(reg, line))
		reg->hooks.notice(reg->hooks.ctx, line);
}

/**
 * sb_exchange_once() - Ask one host, show who we are if it wants to know
 * @reg:	registry
 * @host:	one of its hosts
 * @q:		question
 * @ret:	initialised; what came back, also in part after a failure
 *
 * Return: 0 with a success status, or a negative errno value: those of sb_http_perform() without an
 * answer, those of sb_refusal_explain() with another status
 */
int sb_exchange_once(struct sb_registry *reg, struct sb_exchange_host *host,
		     const struct sb_exchange *q, struct sb_http_answer *ret, struct sb_err *err)
{
	const struct sb_registry_host *h = &host->host;
	struct sb_refusal refusal = { .host = h->host,
				      .login = host->auth.login,
				      .what = q->what,
				      .source = h->source,
				      .credentials = h->username || h->identity_token };
	int r = 1;

	for (int round = 0; round < AUTH_ROUNDS && r > 0; round++) {
		_cleanup_secret_ char *authorization = NULL;
		unsigned int generation = 0;

		sb_http_answer_done(ret);
		r = sb_auth_get(&host->auth, &authorization, &generation, err);
		if (r == 0)
			r = perform(reg, host, q, authorization, ret, err);
		if (r == 0 && ret->status == 401 && round + 1 < AUTH_ROUNDS)
			r = sb_auth_answer(&host->auth, ret->challenges, generation, err);
	}
	if (r < 0)
		return r;
	tell_warning(reg, host, ret);
	if (ret->status == 200 || ret->status == 206)
		return 0;
	refusal.basic = sb_auth_is_basic(&host->auth);
	return sb_refusal_explain(&refusal, ret, err);
}

/**
 * sb_exchange_tries() - Begin to count the tries at a host
 * @reg:	registry
 * @host:	one of its hosts
 *
 * Return: the counter, for sb_retry_wait()
 */
struct sb_retry sb_exchange_tries(struct sb_registry *reg, const struct sb_exchange_host *host)
{
	return (struct sb_retry){ .http = reg->http,
				  .hooks = &reg->hooks,
				  .tries_max =
					  host->host.ns ? SB_RETRY_MIRROR_TRIES : SB_RETRY_TRIES };
}

/**
 * sb_exchange() - Ask one host, again if it has a bad moment
 * @reg:	registry
 * @host:	one of its hosts
 * @q:		question
 * @ret:	initialised; what came back
 *
 * Return: as sb_exchange_once()
 */
int sb_exchange(struct sb_registry *reg, struct sb_exchange_host *host, const struct sb_exchange *q,
		struct sb_http_answer *ret, struct sb_err *err)
{
	struct sb_retry retry = sb_exchange_tries(reg, host);
	int r, again;

	do {
		r = sb_exchange_once(reg, host, q, ret, err);
		again = r < 0 ? sb_retry_wait(&retry, ret, err) : 0;
	} while (again > 0);
	if (r < 0 && ret->status == 0)
		atomic_store(&host->dead, true);
	return again < 0 ? again : r;
}

/* What no other host can better: the user's wish, our own trouble, and content that is wrong. */
static bool is_final(int code)
{
	return code == ECANCELED || code == EBADMSG || code == ENOMEM || code == ENOSPC ||
	       code == EDQUOT || code == EFBIG || code == EIO || code == EROFS;
}

/* Why a mirror was passed over, briefly. */
static const char *shortly(int code)
{
	return code == ENOENT ? "has no such image" : strerrordesc_np(code);
}

/**
 * sb_exchange_each() - Ask the hosts in turn until one has it
 * @reg:	registry
 * @ask:	asks one; what it returns is returned, except failures of mirrors
 * @arg:	for it
 *
 * Mirrors that could not be reached are left out from then on, the registry itself never is.
 *
 * Return: what @ask returned, or a negative errno value: what the registry itself said, or what no
 * other host can better (-EBADMSG: wrong content, and errors of this machine)
 */
int sb_exchange_each(struct sb_registry *reg,
		     int (*ask)(struct sb_registry *reg, struct sb_exchange_host *host, void *arg,
				struct sb_err *err),
		     void *arg, struct sb_err *err)
{
	char mirrors[MIRRORS_SIZE] = "";
	int r = 0;

	for (size_t i = 0; i < reg->n_hosts; i++) {
		struct sb_exchange_host *host = &reg->hosts[i];
		size_t used = strlen(mirrors);
		bool last = i + 1 == reg->n_hosts;

		if (atomic_load(&host->dead) && !last)
			continue;
		r = ask(reg, host, arg, err);
		if (r >= 0)
			return r;
		if (last || is_final(err->code))
			break;
		snprintf(mirrors + used, sizeof(mirrors) - used, "mirror '%.60s' (%s), ",
			 host->host.host, shortly(err->code));
	}
	if (mirrors[0]) {
		mirrors[strlen(mirrors) - 2] = '\0';
		(void)sb_err_prefix(err, "after %s", mirrors);
	}
	return r;
}
