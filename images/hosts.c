/* SPDX-License-Identifier: Apache-2.0 */
/* hosts.c - which hosts to ask for an image, and what to show them */
#include "images/hosts.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "images/http.h"
#include "images/settings.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/err.h"

#define HUB     "docker.io"
#define HUB_API "registry-1.docker.io" /* where Docker Hub answers */

static_assert(SB_SETTINGS_MIRRORS_MAX + 1 <= SB_REGISTRY_HOSTS_MAX, "room for all mirrors");

/* Add "host[/prefix]" with what is set for it. Its credentials are to follow. */
static struct sb_registry_host *add(struct sb_hosts *hosts, const char *name,
				    const struct sb_settings *settings)
{
	const struct sb_settings_registry *set;
	struct sb_registry_host *h = &hosts->v[hosts->n];
	char *text = hosts->names[hosts->n++];
	char *slash;

	snprintf(text, sizeof(hosts->names[0]), "%s", name);
	slash = strchr(text, '/');
	if (slash)
		*slash = '\0';
	set = sb_settings_registry(settings, text);
	h->host = text;
	h->prefix = slash ? slash + 1 : "";
	h->insecure = set && set->insecure;
	h->ca_pem = set ? set->ca_pem : NULL;
	/* Who has named a CA wants it to be asked for, on this machine as well. */
	h->plain_allowed = h->insecure || (sb_http_is_loopback(text) && !h->ca_pem);
	if (!strcmp(text, HUB))
		h->host = HUB_API;
	return h;
}

static void show(struct sb_registry_host *h, const struct sb_credentials *c)
{
	h->username = c->username;
	h->password = c->password;
	h->identity_token = c->identity_token;
	h->source = c->source;
}

/* Credentials that are kept for the last host, under the name that @name begins with. */
static int add_credentials(struct sb_hosts *hosts, const char *name, struct sb_err *err)
{
	struct sb_credentials *c = &hosts->credentials[hosts->n - 1];
	int r = sb_credentials_find(name, c, err);

	if (r < 0)
		return r;
	show(&hosts->v[hosts->n - 1], c);
	return 0;
}

static int fill(struct sb_hosts *hosts, const struct sb_image_ref *ref,
		const struct sb_settings *settings, struct sb_err *err)
{
	const struct sb_settings_registry *set;
	const char *path = strchr(ref->name, '/');

	snprintf(hosts->ns, sizeof(hosts->ns), "%.*s", (int)(path - ref->name), ref->name);
	if (sb_settings_check_allowed(settings, hosts->ns, err) < 0)
		return -err->code;
	set = sb_settings_registry(settings, hosts->ns);
	for (size_t i = 0; set && i < set->mirrors.n; i++) {
		char name[2 * SB_REFERENCE_NAME_MAX + 2];

		/* Never those of the registry: a mirror has its own, or none. */
		add(hosts, set->mirrors.v[i], settings)->ns = hosts->ns;
		snprintf(name, sizeof(name), "%s%s", set->mirrors.v[i], path);
		if (add_credentials(hosts, name, err) < 0)
			return -err->code;
	}
	(void)add(hosts, hosts->ns, settings);
	return add_credentials(hosts, ref->name, err);
}

/**
 * sb_hosts_for_image() - The mirrors of an image's registry, and the registry itself
 * @ref:	image, complete
 * @settings:	configuration; borrowed as long as the result is used
 *
 * Looks up credentials (sb_credentials_find()) for each.
 *
 * Return: the hosts, freed by sb_hosts_free(), or NULL with @err set (EPERM: blocked)
 */
struct sb_hosts *sb_hosts_for_image(const struct sb_image_ref *ref,
				    const struct sb_settings *settings, struct sb_err *err)
{
	_cleanup_hosts_ struct sb_hosts *hosts = calloc(1, sizeof(*hosts));

	if (!hosts) {
		sb_err_set(err, ENOMEM, "look up the registry");
		return NULL;
	}
	return fill(hosts, ref, settings, err) < 0 ? NULL : sb_steal_ptr(&hosts);
}

/**
 * sb_hosts_for_login() - A registry with credentials that are to be tried
 * @host:		as in references
 * @settings:		configuration; borrowed as long as the result is used
 * @credentials:	borrowed likewise
 *
 * Return: one host, freed by sb_hosts_free(), or NULL with @err set
 */
struct sb_hosts *sb_hosts_for_login(const char *host, const struct sb_settings *settings,
				    const struct sb_credentials *credentials, struct sb_err *err)
{
	struct sb_hosts *hosts = calloc(1, sizeof(*hosts));

	if (!hosts)
		sb_err_set(err, ENOMEM, "look up the registry");
	else
		show(add(hosts, host, settings), credentials);
	return hosts;
}

/**
 * sb_hosts_free() - Wipe and free
 * @hosts:	hosts, or NULL
 */
void sb_hosts_free(struct sb_hosts *hosts)
{
	if (!hosts)
		return;
	for (size_t i = 0; i < hosts->n; i++)
		sb_credentials_done(&hosts->credentials[i]);
	free(hosts);
}
