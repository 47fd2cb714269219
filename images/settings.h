/* SPDX-License-Identifier: Apache-2.0 */
/*
 * settings.h - the configuration file
 */
#ifndef SB_IMAGES_SETTINGS_H
#define SB_IMAGES_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>

#include "images/limits.h"
#include "runtime/base/str.h"

struct sb_err;

#define SB_SETTINGS_FILE        "/etc/sbrun/config.json" /* unless SBRUN_CONFIG names another */
#define SB_SETTINGS_MIRRORS_MAX 8                        /* of one registry */

enum sb_pull_policy {
	SB_PULL_MISSING, /* unless the store has it */
	SB_PULL_ALWAYS,  /* even then */
	SB_PULL_NEVER,
	SB_PULL_NEWER, /* if the registry has another; if it can't be asked, what the store has */
};

/**
 * struct sb_settings_registry - what is set for one registry; everything is owned
 * @host:	as in references
 * @mirrors:	"host[:port][/prefix]", to be asked before it
 * @insecure:	TLS is not verified, and plain HTTP will do
 * @blocked:	it is never contacted
 * @ca_pem:	certificates to trust instead of the system's; NULL: those
 */
struct sb_settings_registry {
	char *host;
	struct sb_strv mirrors;
	bool insecure;
	bool blocked;
	char *ca_pem;
};

/**
 * struct sb_settings - the configuration, complete with defaults
 * @registries:	those that have something set
 * @n_registries: how many
 * @limits:	for layers
 * @pull:	when to pull
 */
struct sb_settings {
	struct sb_settings_registry *registries;
	size_t n_registries;
	struct sb_layer_limits limits;
	enum sb_pull_policy pull;
};

#define SB_SETTINGS_INIT                           \
	{                                          \
		.limits = SB_LAYER_LIMITS_DEFAULT, \
	}

const char *sb_settings_file(void);
int sb_settings_load(struct sb_settings *ret, struct sb_err *err);
void sb_settings_done(struct sb_settings *settings);
const struct sb_settings_registry *sb_settings_registry(const struct sb_settings *settings,
							const char *host);
int sb_settings_check_allowed(const struct sb_settings *settings, const char *host,
			      struct sb_err *err);
int sb_pull_policy_parse(const char *word, enum sb_pull_policy *ret);

#endif /* SB_IMAGES_SETTINGS_H */
