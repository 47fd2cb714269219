/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hosts.h - which hosts to ask for an image, and what to show them
 */
#ifndef SB_IMAGES_HOSTS_H
#define SB_IMAGES_HOSTS_H

#include <stddef.h>

#include "images/credentials.h"
#include "images/reference.h"
#include "images/registry.h"

struct sb_err;
struct sb_settings;

/**
 * struct sb_hosts - for sb_registry_new(); does not survive being copied
 * @v:			hosts, mirrors first; borrow from what follows and from the settings
 * @n:			how many
 * @names:		"host\0prefix" of each
 * @credentials:	of each
 * @ns:			host as in the reference
 */
struct sb_hosts {
	struct sb_registry_host v[SB_REGISTRY_HOSTS_MAX];
	size_t n;
	char names[SB_REGISTRY_HOSTS_MAX][SB_REFERENCE_NAME_MAX + 1];
	struct sb_credentials credentials[SB_REGISTRY_HOSTS_MAX];
	char ns[SB_REFERENCE_NAME_MAX + 1];
};

struct sb_hosts *sb_hosts_for_image(const struct sb_image_ref *ref,
				    const struct sb_settings *settings, struct sb_err *err);
struct sb_hosts *sb_hosts_for_login(const char *host, const struct sb_settings *settings,
				    const struct sb_credentials *credentials, struct sb_err *err);
void sb_hosts_free(struct sb_hosts *hosts);

static inline void sb_cleanup_hosts(struct sb_hosts **hosts)
{
	sb_hosts_free(*hosts);
}
#define _cleanup_hosts_ __attribute__((cleanup(sb_cleanup_hosts)))

#endif /* SB_IMAGES_HOSTS_H */
