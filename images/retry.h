/* SPDX-License-Identifier: Apache-2.0 */
/*
 * retry.h - when to ask a server again, and how long to wait before
 */
#ifndef SB_IMAGES_RETRY_H
#define SB_IMAGES_RETRY_H

#include <stdint.h>

struct sb_err;
struct sb_http;
struct sb_http_answer;
struct sb_registry_hooks;

#define SB_RETRY_TRIES        5 /* at a registry or token server */
#define SB_RETRY_MIRROR_TRIES 2 /* at a mirror: there are others */

/**
 * struct sb_retry - the tries of one request
 * @http:	says whether we are cancelled; borrowed
 * @hooks:	told of each retry; borrowed
 * @host:	whom we ask; borrowed
 * @tries_max:	so many tries
 * @tries:	so many were made; set to 0 whenever there is progress
 */
struct sb_retry {
	struct sb_http *http;
	const struct sb_registry_hooks *hooks;
	const char *host;
	unsigned int tries_max;
	unsigned int tries;
};

int sb_retry_wait(struct sb_retry *retry, const struct sb_http_answer *answer, struct sb_err *err);
int64_t sb_retry_after_ms(const char *text, int64_t now_ms);

#endif /* SB_IMAGES_RETRY_H */
