/* SPDX-License-Identifier: Apache-2.0 */
/* refusal.c - what a registry means by a status that is no success, in words for people */
#include "images/refusal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "images/http.h"
#include "images/retry.h"
#include "runtime/base/err.h"
#include "runtime/base/json.h"
#include "runtime/base/sys.h"

#define SHOWN_SIZE 100

/* The first error in the body (OCI distribution-spec "Error Codes") as ": CODE: message", else "".
 */
static const char *said(const struct sb_http_answer *answer, char *buf, size_t size)
{
	struct sb_err ignored = SB_ERR_INIT;
	_cleanup_json_ json_t *body = NULL;
	const char *code = "", *message = "";
	const json_t *first;
	char line[SHOWN_SIZE * 2];

	buf[0] = '\0';
	if (answer->len == 0 || sb_json_parse(answer->body, answer->len, &body, &ignored) < 0)
		return buf;
	first = json_array_get(json_object_get(body, "errors"), 0);
	(void)sb_json_get_str(first, "code", &code, &ignored);
	(void)sb_json_get_str(first, "message", &message, &ignored);
	if (!code[0] && !message[0])
		return buf;
	snprintf(line, sizeof(line), ": %s%s%s", code, code[0] && message[0] ? ": " : "", message);
	return sb_http_shown(line, strlen(line), buf, size);
}

static void explain_login(const struct sb_refusal *r, struct sb_err *err)
{
	if (r->credentials && r->source)
		sb_err_refuse(err, EACCES, "'%s' does not accept the credentials for it from '%s'",
			      r->host, r->source);
	else if (r->credentials)
		sb_err_refuse(err, EACCES, "'%s' does not accept the credentials for it", r->host);
	else if (r->basic)
		sb_err_refuse(err, EACCES, "'%s' wants a login for %s", r->host, r->what);
	else
		sb_err_refuse(err, EACCES, "'%s' has no %s, or wants a login", r->host, r->what);
	(void)sb_err_hint(err, "'sbrun login %s' stores a user name and password", r->login);
}

static void explain_limit(const struct sb_refusal *r, const struct sb_http_answer *answer,
			  struct sb_err *err)
{
	int64_t ms = sb_retry_after_ms(answer->retry_after, sb_wall_ms());
	char when[48] = "";

	if (ms > 0)
		snprintf(when, sizeof(when), "; it asks to wait for %lld s",
			 (long long)((ms + 999) / 1000));
	sb_err_refuse(err, EBUSY, "'%s' has had too many requests from here%s", r->host, when);
	/* Docker Hub, "Usage and limits": anonymous pulls count per IPv4 address or IPv6 /64. */
	(void)sb_err_hint(err,
			  "'sbrun login %s' or a mirror helps; Docker Hub counts all of an IPv6 "
			  "/64 together",
			  r->login);
}

/**
 * sb_refusal_explain() - Make an error of a status
 * @refusal:	who was asked for what
 * @answer:	status and body, from a stranger
 *
 * Return: a negative errno value: -EACCES (401, 403), -ENOENT (404), -EBUSY (429), -EREMOTEIO (the
 * server's fault), -EPROTO (any other)
 */
int sb_refusal_explain(const struct sb_refusal *refusal, const struct sb_http_answer *answer,
		       struct sb_err *err)
{
	char text[SHOWN_SIZE];

	(void)said(answer, text, sizeof(text));
	if (answer->status == 401)
		explain_login(refusal, err);
	else if (answer->status == 403)
		sb_err_refuse(err, EACCES, "'%s' denies access to %s%s", refusal->host,
			      refusal->what, text);
	else if (answer->status == 404)
		sb_err_refuse(err, ENOENT, "no %s at '%s'%s", refusal->what, refusal->host, text);
	else if (answer->status == 429)
		explain_limit(refusal, answer, err);
	else
		sb_err_refuse(err, answer->status >= 500 ? EREMOTEIO : EPROTO,
			      "'%s' answers with status %ld%s", refusal->host, answer->status,
			      text);
	return -err->code;
}
