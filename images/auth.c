/* SPDX-License-Identifier: Apache-2.0 */
/*
 * auth.c - what we show a registry to be let in: Basic, or a token from the server it names
 *
 * CNCF distribution, "Token Authentication Specification" and "Oauth2 Token Authentication": a 401
 * names a token server (realm), which gives a token for our credentials, or for none. The registry
 * chooses that server, so it gets our credentials only over TLS; plain HTTP is for a registry that
 * may speak it itself.
 */
#include "images/auth.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <openssl/evp.h>

#include "images/http.h"
#include "images/refusal.h"
#include "images/registry.h"
#include "images/retry.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/err.h"
#include "runtime/base/json.h"
#include "runtime/base/sys.h"

#define TOKEN_BODY_MAX  (256 << 10)
#define TOKEN_MAX       (64 << 10) /* some registries list all rights of the user in it */
#define LIFETIME_S      60         /* of a token that does not say; also the least (spec) */
#define LIFETIME_MAX_S  (24 * 60 * 60)
#define RENEW_BEFORE_MS 10000 /* it must last until the registry has looked at it */

/**
 * sb_auth_free_secret() - Wipe and free
 * @secret:	string, or NULL
 */
void sb_auth_free_secret(char *secret)
{
	if (secret)
		explicit_bzero(secret, strlen(secret));
	free(secret);
}

/**
 * sb_auth_init() - Begin as a stranger
 * @auth:	@http, @hooks, @host, @peer, @login and @scope are set
 */
void sb_auth_init(struct sb_auth *auth)
{
	(void)pthread_mutex_init(&auth->lock, NULL);
	auth->renew_ms = UINT64_MAX;
}

/**
 * sb_auth_done() - Forget what was learnt
 * @auth:	initialised, unused from now on
 */
void sb_auth_done(struct sb_auth *auth)
{
	sb_auth_free_secret(auth->header);
	auth->header = NULL;
	(void)pthread_mutex_destroy(&auth->lock);
}

static bool has_credentials(const struct sb_auth *auth)
{
	return auth->host->username || auth->host->identity_token;
}

/* "Basic <base64 of user:password>" (RFC 7617), freed by sb_auth_free_secret(). */
static char *basic_header(const char *username, const char *password)
{
	_cleanup_secret_ char *plain = NULL;
	char *header;
	size_t len;

	if (asprintf(&plain, "%s:%s", username, password) < 0) {
		plain = NULL;
		return NULL;
	}
	len = strlen(plain);
	header = malloc(sizeof("Basic ") + (len + 2) / 3 * 4);
	if (!header)
		return NULL;
	strcpy(header, "Basic ");
	(void)EVP_EncodeBlock((unsigned char *)header + strlen(header), (unsigned char *)plain,
			      (int)len);
	return header;
}

/* Takes @header over. */
static void set_header(struct sb_auth *auth, char *header, uint64_t renew_ms)
{
	sb_auth_free_secret(auth->header);
	auth->header = header;
	auth->renew_ms = renew_ms;
	auth->generation++;
}

/**
 * sb_auth_parse_token() - Read what a token server has answered
 * @text:	JSON, from a stranger
 * @len:	bytes of it
 * @ret_token:	token, fit for a header; freed by sb_auth_free_secret()
 * @ret_ms:	how long it lasts
 *
 * Return: 0, or a negative errno value (-EPROTO: no JSON, or no token in it)
 */
int sb_auth_parse_token(const char *text, size_t len, char **ret_token, uint64_t *ret_ms,
			struct sb_err *err)
{
	_cleanup_json_ json_t *body = NULL;
	const char *token = NULL;
	int64_t seconds = LIFETIME_S;

	if (sb_json_parse(text, len, &body, err) < 0 ||
	    sb_json_get_str(body, "access_token", &token, err) < 0 ||
	    sb_json_get_str(body, "token", &token, err) < 0 ||
	    sb_json_get_int(body, "expires_in", &seconds, err) < 0)
		return -err->code;
	if (!token || !token[0])
		return sb_err_refuse(err, EPROTO, "there is no token in the answer");
	if (strlen(token) > TOKEN_MAX)
		return sb_err_refuse(err, EPROTO, "the token is longer than %d bytes", TOKEN_MAX);
	for (const char *p = token; *p; p++) /* it goes into a header */
		if (*p <= ' ' || *p >= 0x7f)
			return sb_err_refuse(err, EPROTO,
					     "the token has characters that no token "
					     "has");
	if (seconds < LIFETIME_S)
		seconds = LIFETIME_S;
	if (seconds > LIFETIME_MAX_S)
		seconds = LIFETIME_MAX_S;
	*ret_token = strdup(token);
	if (!*ret_token)
		return sb_err_set(err, ENOMEM, "keep a token");
	*ret_ms = (uint64_t)seconds * 1000;
	return 0;
}

/* "service=…&scope=…", what both ways of asking have in common. */
static int make_query(const struct sb_auth *auth, char *buf, size_t size, struct sb_err *err)
{
	char service[SB_CHALLENGE_VALUE_SIZE], scope[SB_CHALLENGE_VALUE_SIZE];
	bool has_scope = auth->scope != NULL;

	if (sb_http_escape(auth->challenge.service, service, sizeof(service)) < 0 ||
	    sb_http_escape(has_scope ? auth->scope : "", scope, sizeof(scope)) < 0)
		return sb_err_refuse(err, EPROTO, "the name of the service is too long");
	snprintf(buf, size, "service=%s%s%s", service, has_scope ? "&scope=" : "", scope);
	return 0;
}

/* The realm comes from the registry: it may only be a URL, and one that we dare to use. */
static int check_realm(const struct sb_auth *auth, struct sb_err *err)
{
	const char *realm = auth->challenge.realm;
	char shown[80];

	for (const char *p = realm; *p; p++)
		if (*p <= ' ' || *p >= 0x7f || *p == '#' || *p == '\\')
			return sb_err_refuse(err, EPROTO, "'%s' names no valid token server",
					     auth->host->host);
	if (!strncasecmp(realm, "https://", 8))
		return 0;
	if (auth->peer->plain_allowed && !strncasecmp(realm, "http://", 7) &&
	    (auth->peer->insecure || sb_http_is_loopback(realm + 7)))
		return 0;
	return sb_err_refuse(err, EPROTO, "'%s' names a token server without TLS: '%s'",
			     auth->host->host,
			     sb_http_shown(realm, strlen(realm), shown, sizeof(shown)));
}

/* Ask the token server, again if it has a bad moment. Return: 0 with a status below 400, or -errno
 */
static int ask(struct sb_auth *auth, const struct sb_http_request *request,
	       struct sb_http_answer *answer, struct sb_err *err)
{
	const struct sb_refusal refusal = { .host = auth->host->host,
					    .login = auth->login,
					    .what = "token",
					    .source = auth->host->source,
					    .credentials = has_credentials(auth) };
	struct sb_retry retry = { .http = auth->http,
				  .hooks = auth->hooks,
				  .host = auth->host->host,
				  .tries_max = SB_RETRY_TRIES };
	int r, again;

	do {
		sb_http_answer_done(answer);
		r = sb_http_perform(auth->http, request, answer, err);
		if (r == 0 && answer->status != 200)
			r = sb_refusal_explain(&refusal, answer, err);
		again = r < 0 ? sb_retry_wait(&retry, answer, err) : 0;
	} while (again > 0);
	return again < 0 ? again : r;
}

/* OAuth2 with the identity token. Return: 0 with the status in @answer, or -errno if there is none;
 * @err is filled in for any but 200.
 */
static int ask_by_post(struct sb_auth *auth, const char *query, struct sb_http_answer *answer,
		       struct sb_err *err)
{
	const char *token = auth->host->identity_token;
	size_t size = strlen(token) * 3 + 4;
	_cleanup_free_ char *escaped = malloc(size);
	_cleanup_secret_ char *form = NULL;
	struct sb_http_request request = { .url = auth->challenge.realm,
					   .peer = auth->peer,
					   .body_max = TOKEN_BODY_MAX };
	int r;

	if (!escaped || sb_http_escape(token, escaped, size) < 0)
		return sb_err_set(err, ENOMEM, "ask for a token");
	r = asprintf(&form, "grant_type=refresh_token&client_id=sbrun&%s&refresh_token=%s", query,
		     escaped);
	explicit_bzero(escaped, size);
	if (r < 0) {
		form = NULL;
		return sb_err_set(err, ENOMEM, "ask for a token");
	}
	request.form = form;
	r = ask(auth, &request, answer, err);
	return r < 0 && (answer->status == 0 || answer->status == 200) ? r : 0;
}

/* With the credentials as Basic, or with none. Return: 0 with status 200, or -errno */
static int ask_by_get(struct sb_auth *auth, const char *query, struct sb_http_answer *answer,
		      struct sb_err *err)
{
	const struct sb_registry_host *h = auth->host;
	const char *realm = auth->challenge.realm;
	_cleanup_secret_ char *basic = NULL;
	_cleanup_free_ char *url = NULL;
	struct sb_http_request request = { .peer = auth->peer, .body_max = TOKEN_BODY_MAX };

	if (asprintf(&url, "%s%c%s", realm, strchr(realm, '?') ? '&' : '?', query) < 0) {
		url = NULL;
		return sb_err_set(err, ENOMEM, "ask for a token");
	}
	if (has_credentials(auth)) {
		basic = basic_header(h->username ? h->username : "",
				     h->identity_token ? h->identity_token : h->password);
		if (!basic)
			return sb_err_set(err, ENOMEM, "ask for a token");
	}
	request.url = url;
	request.authorization = basic;
	return ask(auth, &request, answer, err);
}

/* Which statuses of the OAuth2 way mean that the server only knows the other one. */
static bool is_no_oauth2(long status)
{
	return status == 400 || status == 401 || status == 404 || status == 405;
}

/* Get a token. Return: 0, or a negative errno value; -EACCES: the token server refuses one. */
static int get_token(struct sb_auth *auth, struct sb_err *err)
{
	struct sb_http_answer answer = SB_HTTP_ANSWER_INIT;
	_cleanup_secret_ char *token = NULL;
	char query[2 * SB_CHALLENGE_VALUE_SIZE + 32];
	char *header = NULL;
	uint64_t lifetime_ms = 0;
	int r = check_realm(auth, err);

	if (r == 0)
		r = make_query(auth, query, sizeof(query), err);
	if (r == 0 && auth->host->identity_token)
		r = ask_by_post(auth, query, &answer, err);
	if (r == 0 && (!auth->host->identity_token || is_no_oauth2(answer.status)))
		r = ask_by_get(auth, query, &answer, err);
	else if (r == 0 && answer.status != 200)
		r = -err->code; /* of the POST, explained already */
	if (r == 0)
		r = sb_auth_parse_token(answer.body ? answer.body : "", answer.len, &token,
					&lifetime_ms, err);
	sb_http_answer_done(&answer);
	if (r < 0)
		return sb_err_prefix(err, "get a token for '%s'", auth->host->host);
	if (asprintf(&header, "Bearer %s", token) < 0)
		return sb_err_set(err, ENOMEM, "keep a token");
	set_header(auth, header, sb_now_ms() + lifetime_ms - RENEW_BEFORE_MS);
	return 0;
}

/**
 * sb_auth_get() - What to show with a request
 * @auth:	standing at the host; a token that is about to expire is renewed
 * @ret_header:	value for Authorization, freed by sb_auth_free_secret(), or NULL for none
 * @ret_generation: to be given to sb_auth_answer() should it not be accepted
 *
 * Return: 0, or a negative errno value
 */
int sb_auth_get(struct sb_auth *auth, char **ret_header, unsigned int *ret_generation,
		struct sb_err *err)
{
	int r = 0;

	(void)pthread_mutex_lock(&auth->lock);
	if (sb_now_ms() >= auth->renew_ms)
		r = get_token(auth, err);
	if (r == 0) {
		*ret_generation = auth->generation;
		*ret_header = auth->header ? strdup(auth->header) : NULL;
		if (auth->header && !*ret_header)
			r = sb_err_set(err, ENOMEM, "show who we are");
	}
	(void)pthread_mutex_unlock(&auth->lock);
	return r;
}

static int answer_locked(struct sb_auth *auth, const char *challenges, struct sb_err *err)
{
	char *header;
	int r;

	sb_challenge_parse(challenges, &auth->challenge);
	if (auth->challenge.scheme == SB_CHALLENGE_BEARER) {
		r = get_token(auth, err);
		/* Nobody gets one without credentials: the registry's 401 says it better. */
		return r == -EACCES && !has_credentials(auth) ? 0 : r < 0 ? r : 1;
	}
	if (auth->challenge.scheme != SB_CHALLENGE_BASIC || !auth->host->username ||
	    !auth->host->password || auth->header)
		return 0;
	header = basic_header(auth->host->username, auth->host->password);
	if (!header)
		return sb_err_set(err, ENOMEM, "show who we are");
	set_header(auth, header, UINT64_MAX);
	return 1;
}

/**
 * sb_auth_is_basic() - Whether the host has asked for a user name and a password
 * @auth:	standing at the host
 *
 * Return: true after a Basic challenge: it is for everything there, unlike one for a token
 */
bool sb_auth_is_basic(struct sb_auth *auth)
{
	bool basic;

	(void)pthread_mutex_lock(&auth->lock);
	basic = auth->challenge.scheme == SB_CHALLENGE_BASIC;
	(void)pthread_mutex_unlock(&auth->lock);
	return basic;
}

/**
 * sb_auth_answer() - After a 401: find something better to show
 * @auth:	standing at the host
 * @challenges:	WWW-Authenticate headers of the answer
 * @generation:	what sb_auth_get() gave with the header that was not accepted
 *
 * Return: 1: try again, 0: there is nothing better, or a negative errno value
 */
int sb_auth_answer(struct sb_auth *auth, const char *challenges, unsigned int generation,
		   struct sb_err *err)
{
	int r;

	(void)pthread_mutex_lock(&auth->lock);
	if (auth->generation != generation)
		r = 1; /* another thread has been faster */
	else
		r = answer_locked(auth, challenges, err);
	(void)pthread_mutex_unlock(&auth->lock);
	return r;
}
