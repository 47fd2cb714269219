/* SPDX-License-Identifier: Apache-2.0 */
/*
 * exchange.h - a question to a registry, with all that it takes to get an answer; for registry.c
 * and blob.c only
 */
#ifndef SB_IMAGES_EXCHANGE_H
#define SB_IMAGES_EXCHANGE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "images/auth.h"
#include "images/http.h"
#include "images/reference.h"
#include "images/registry.h"
#include "images/trust.h"

struct sb_err;
struct sb_retry;

#define SB_EXCHANGE_WARNINGS_MAX 8

enum sb_exchange_scheme {
	SB_EXCHANGE_UNKNOWN,
	SB_EXCHANGE_TLS,
	SB_EXCHANGE_PLAIN,
};

/**
 * struct sb_exchange_host - one place where the registry answers
 * @host:	as given; strings borrowed
 * @peer:	how to talk to it
 * @trust:	certificates for that
 * @auth:	our standing there
 * @scheme:	enum sb_exchange_scheme: what has worked
 * @dead:	a mirror that could not be reached: not asked again
 */
struct sb_exchange_host {
	struct sb_registry_host host;
	struct sb_http_peer peer;
	struct sb_trust trust;
	struct sb_auth auth;
	atomic_int scheme;
	atomic_bool dead;
};

/**
 * struct sb_registry - see registry.h
 * @http:	connections
 * @hooks:	the caller's
 * @name:	of the image, "docker.io/library/python"; "" without one
 * @repository:	its path, within @name
 * @login:	host of the reference, "docker.io"
 * @scope:	for tokens; "" without a repository
 * @hosts:	mirrors, and the registry itself as the last one
 * @n_hosts:	how many
 * @lock:	of what follows
 * @warnings:	those that were told
 * @n_warnings:	how many
 */
struct sb_registry {
	struct sb_http *http;
	struct sb_registry_hooks hooks;
	char name[SB_REFERENCE_NAME_MAX + 1];
	const char *repository;
	char login[SB_REFERENCE_NAME_MAX + 1];
	char scope[SB_REFERENCE_NAME_MAX + 32];
	struct sb_exchange_host *hosts;
	size_t n_hosts;
	pthread_mutex_t lock;
	char *warnings[SB_EXCHANGE_WARNINGS_MAX];
	size_t n_warnings;
};

/**
 * struct sb_exchange - what to ask for
 * @what:	for messages: "image 'x:y'"
 * @path:	below the repository, "manifests/latest"; NULL: the root of the API
 * @request:	@url, @peer and @authorization are filled in
 */
struct sb_exchange {
	const char *what;
	const char *path;
	struct sb_http_request request;
};

int sb_exchange_once(struct sb_registry *reg, struct sb_exchange_host *host,
		     const struct sb_exchange *q, struct sb_http_answer *ret, struct sb_err *err);
int sb_exchange(struct sb_registry *reg, struct sb_exchange_host *host, const struct sb_exchange *q,
		struct sb_http_answer *ret, struct sb_err *err);
struct sb_retry sb_exchange_tries(struct sb_registry *reg, const struct sb_exchange_host *host);
int sb_exchange_each(struct sb_registry *reg,
		     int (*ask)(struct sb_registry *reg, struct sb_exchange_host *host, void *arg,
				struct sb_err *err),
		     void *arg, struct sb_err *err);

#endif /* SB_IMAGES_EXCHANGE_H */
