/* SPDX-License-Identifier: Apache-2.0 */
/*
 * auth.h - what we show a registry to be let in: Basic, or a token from the server it names
 */
#ifndef SB_IMAGES_AUTH_H
#define SB_IMAGES_AUTH_H

#include <stdbool.h>
#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

#include "images/challenge.h"

struct sb_err;
struct sb_http;
struct sb_http_peer;
struct sb_registry_hooks;
struct sb_registry_host;

/**
 * struct sb_auth - our standing at one host; one thread at a time renews it, the others wait
 * @http:	for requests of tokens; borrowed
 * @hooks:	told of retries; borrowed
 * @host:	its name and our credentials; borrowed
 * @peer:	how to talk to it; borrowed
 * @login:	what the user calls the host; borrowed
 * @scope:	what tokens are to be good for; borrowed, NULL: nothing in particular
 * @lock:	of what follows
 * @challenge:	what the host has asked for; none while it has not
 * @header:	value for Authorization, owned; NULL: none
 * @renew_ms:	monotonic time at which to get another; UINT64_MAX: never
 * @generation:	counts the values that @header has had
 */
struct sb_auth {
	struct sb_http *http;
	const struct sb_registry_hooks *hooks;
	const struct sb_registry_host *host;
	const struct sb_http_peer *peer;
	const char *login;
	const char *scope;
	pthread_mutex_t lock;
	struct sb_challenge challenge;
	char *header;
	uint64_t renew_ms;
	unsigned int generation;
};

void sb_auth_init(struct sb_auth *auth);
void sb_auth_done(struct sb_auth *auth);
int sb_auth_get(struct sb_auth *auth, char **ret_header, unsigned int *ret_generation,
		struct sb_err *err);
bool sb_auth_is_basic(struct sb_auth *auth);
int sb_auth_answer(struct sb_auth *auth, const char *challenges, unsigned int generation,
		   struct sb_err *err);
int sb_auth_parse_token(const char *text, size_t len, char **ret_token, uint64_t *ret_ms,
			struct sb_err *err);
void sb_auth_free_secret(char *secret);

static inline void sb_cleanup_secret(char **secret)
{
	sb_auth_free_secret(*secret);
}
#define _cleanup_secret_ __attribute__((cleanup(sb_cleanup_secret)))

#endif /* SB_IMAGES_AUTH_H */
