/* SPDX-License-Identifier: Apache-2.0 */
/*
 * settings.c - the configuration file
 *
 *   {
 *     "registries": {
 *       "docker.io": { "mirrors": ["mirror.example/hub"] },
 *       "registry.example:5000": { "ca": "/etc/sbrun/ca.pem" },
 *       "old.example": { "insecure": true },
 *       "not.example": { "blocked": true }
 *     },
 *     "limits": { "tarBytes": 68719476736, "ratio": 200 },
 *     "pull": "missing"
 *   }
 *
 * Everything may be left out. What is not known is refused by name: a misspelt "blocked" must not
 * pass in silence.
 */
#include "images/settings.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "images/reference.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/json.h"

#define FILE_MAX_BYTES (1 << 20)

static const char *const policies[] = {
	[SB_PULL_MISSING] = "missing",
	[SB_PULL_ALWAYS] = "always",
	[SB_PULL_NEVER] = "never",
	[SB_PULL_NEWER] = "newer",
};

/**
 * sb_pull_policy_parse() - When to pull
 * @word:	"always", "missing", "never" or "newer"
 * @ret:	what it means
 *
 * Return: 0 or -EINVAL
 */
int sb_pull_policy_parse(const char *word, enum sb_pull_policy *ret)
{
	for (size_t i = 0; i < SB_ARRAY_SIZE(policies); i++) {
		if (!strcmp(policies[i], word)) {
			*ret = (enum sb_pull_policy)i;
			return 0;
		}
	}
	return -EINVAL;
}

/* Refuse whatever is no object, and keys that are not in the list. */
static int check_keys(json_t *obj, const char *where, const char *const keys[], size_t n,
		      struct sb_err *err)
{
	const char *key;
	json_t *value;

	if (!json_is_object(obj))
		return sb_err_refuse(err, EINVAL, "%s is not an object", where);
	json_object_foreach(obj, key, value)
	{
		bool known = false;

		for (size_t i = 0; i < n; i++)
			known |= !strcmp(keys[i], key);
		if (!known)
			return sb_err_refuse(err, EINVAL, "%s has an unknown key '%.60s'", where,
					     key);
	}
	return 0;
}

static int read_file(const char *path, char **ret, size_t *ret_len, struct sb_err *err)
{
	_cleanup_fd_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

	if (fd < 0)
		return sb_err_set(err, errno, "open '%.150s'", path);
	return sb_read_fd(fd, path, FILE_MAX_BYTES, ret, ret_len, err);
}

/*
 * A mirror must come out of a reference to an image on it as it went in, but for the case of its
 * host, which is made lower.
 */
static int take_mirror(char *mirror, struct sb_err *err)
{
	struct sb_image_ref ref;
	struct sb_err ignored = SB_ERR_INIT;
	char text[SB_REFERENCE_NAME_MAX + 1];

	if ((size_t)snprintf(text, sizeof(text), "%s/x", mirror) < sizeof(text) &&
	    sb_reference_parse(text, &ref, &ignored) == 0 && !strcasecmp(ref.name, text)) {
		memcpy(mirror, ref.name, strlen(mirror));
		return 0;
	}
	sb_err_refuse(err, EINVAL, "'%.100s' is not a mirror", mirror);
	return sb_err_hint(err, "mirrors are written host[:port][/prefix], without https://");
}

static int take_mirrors(const json_t *obj, struct sb_settings_registry *r, struct sb_err *err)
{
	if (sb_json_get_strv(obj, "mirrors", &r->mirrors, err) < 0)
		return -err->code;
	if (r->mirrors.n > SB_SETTINGS_MIRRORS_MAX)
		return sb_err_refuse(err, EINVAL, "there are more than %d mirrors",
				     SB_SETTINGS_MIRRORS_MAX);
	for (size_t i = 0; i < r->mirrors.n; i++)
		if (take_mirror(r->mirrors.v[i], err) < 0)
			return -err->code;
	return 0;
}

static int take_ca(const char *path, char **ret, struct sb_err *err)
{
	if (path[0] != '/')
		return sb_err_refuse(err, EINVAL, "'ca' is not an absolute path: '%.100s'", path);
	if (read_file(path, ret, NULL, err) < 0)
		return sb_err_prefix(err, "'ca'");
	/* RFC 7468 section 5, and OpenSSL's own form of it. */
	if (!strstr(*ret, "-----BEGIN CERTIFICATE-----") &&
	    !strstr(*ret, "-----BEGIN TRUSTED CERTIFICATE-----"))
		return sb_err_refuse(err, EINVAL, "'ca': '%.100s' has no certificate in it", path);
	return 0;
}

static int take_registry(json_t *obj, const char *key, struct sb_settings_registry *r,
			 struct sb_err *err)
{
	static const char *const keys[] = { "mirrors", "insecure", "ca", "blocked" };
	char host[SB_REFERENCE_NAME_MAX + 1];
	const char *ca = NULL;
	int insecure = 0, blocked = 0;

	if (sb_reference_parse_host(key, host, err) < 0)
		return -err->code;
	if (strcasecmp(host, key) != 0)
		return sb_err_refuse(err, EINVAL, "it goes by the name '%s'", host);
	r->host = strdup(host);
	if (!r->host)
		return sb_err_set(err, ENOMEM, "read the configuration");
	if (check_keys(obj, "it", keys, SB_ARRAY_SIZE(keys), err) < 0 ||
	    take_mirrors(obj, r, err) < 0 ||
	    sb_json_get_bool(obj, "insecure", &insecure, err) < 0 ||
	    sb_json_get_bool(obj, "blocked", &blocked, err) < 0 ||
	    sb_json_get_str(obj, "ca", &ca, err) < 0)
		return -err->code;
	r->insecure = insecure;
	r->blocked = blocked;
	return ca ? take_ca(ca, &r->ca_pem, err) : 0;
}

static int take_registries(json_t *obj, struct sb_settings *s, struct sb_err *err)
{
	const char *key;
	json_t *value;

	if (!obj)
		return 0;
	if (!json_is_object(obj))
		return sb_err_refuse(err, EINVAL, "'registries' is not an object");
	s->registries = calloc(json_object_size(obj) + 1, sizeof(*s->registries));
	if (!s->registries)
		return sb_err_set(err, ENOMEM, "read the configuration");
	json_object_foreach(obj, key, value)
	{
		struct sb_settings_registry *r = &s->registries[s->n_registries];

		int ret;

		s->n_registries++;
		ret = take_registry(value, key, r, err);
		if (ret == 0 && sb_settings_registry(s, r->host) != r)
			ret = sb_err_refuse(err, EINVAL,
					    "it is there twice, in another case of letters");
		if (ret < 0)
			return sb_err_prefix(err, "registry '%.60s'", key);
	}
	return 0;
}

/*
 * The bounds are there to catch a slip (bytes meant as megabytes), and to keep memory bounded
 * whatever is set: paxBytes and xattrBytes are held in memory once per layer in flight. The
 * greatest depth is that of a path of PATH_MAX bytes; a ratio of 1032 is all that deflate can
 * reach.
 */
static int take_limits(json_t *obj, struct sb_layer_limits *limits, struct sb_err *err)
{
	static const char *const keys[] = { "tarBytes", "ratio",    "entries",
					    "depth",    "paxBytes", "xattrBytes" };
	static const struct {
		int64_t min, max;
	} bounds[] = {
		{ 1 << 20, INT64_C(1) << 44 }, { 1, 1000000 },       { 1, 100000000 }, { 1, 2048 },
		{ 1 << 10, 64 << 20 },         { 1 << 10, 1 << 20 },
	};
	int64_t v[] = { (int64_t)limits->tar_bytes, (int64_t)limits->ratio,
			(int64_t)limits->entries,   (int64_t)limits->depth,
			(int64_t)limits->pax_bytes, (int64_t)limits->xattr_bytes };

	if (!obj)
		return 0;
	if (check_keys(obj, "'limits'", keys, SB_ARRAY_SIZE(keys), err) < 0)
		return -err->code;
	for (size_t i = 0; i < SB_ARRAY_SIZE(keys); i++) {
		if (sb_json_get_int(obj, keys[i], &v[i], err) < 0)
			return sb_err_prefix(err, "'limits'");
		if (v[i] < bounds[i].min || v[i] > bounds[i].max)
			return sb_err_refuse(err, EINVAL,
					     "'limits': '%s' must be from %lld to %lld", keys[i],
					     (long long)bounds[i].min, (long long)bounds[i].max);
	}
	limits->tar_bytes = (uint64_t)v[0];
	limits->ratio = (uint64_t)v[1];
	limits->entries = (uint64_t)v[2];
	limits->depth = (unsigned int)v[3];
	limits->pax_bytes = (size_t)v[4];
	limits->xattr_bytes = (size_t)v[5];
	return 0;
}

/* No mirror is a registry that is blocked. */
static int check_mirrors(const struct sb_settings *s, struct sb_err *err)
{
	for (size_t i = 0; i < s->n_registries; i++) {
		const struct sb_settings_registry *r = &s->registries[i];

		for (size_t k = 0; k < r->mirrors.n; k++) {
			const struct sb_settings_registry *set;
			char host[SB_REFERENCE_NAME_MAX + 1];

			snprintf(host, sizeof(host), "%.*s", (int)strcspn(r->mirrors.v[k], "/"),
				 r->mirrors.v[k]);
			set = sb_settings_registry(s, host);
			if (set && set->blocked)
				return sb_err_refuse(err, EINVAL,
						     "registry '%.60s': its mirror '%.100s' is "
						     "blocked",
						     r->host, host);
		}
	}
	return 0;
}

static int take_all(json_t *file, struct sb_settings *s, struct sb_err *err)
{
	static const char *const keys[] = { "registries", "limits", "pull" };
	const char *pull = "missing";

	if (check_keys(file, "it", keys, SB_ARRAY_SIZE(keys), err) < 0 ||
	    take_registries(json_object_get(file, "registries"), s, err) < 0 ||
	    check_mirrors(s, err) < 0 ||
	    take_limits(json_object_get(file, "limits"), &s->limits, err) < 0 ||
	    sb_json_get_str(file, "pull", &pull, err) < 0)
		return -err->code;
	if (sb_pull_policy_parse(pull, &s->pull) < 0)
		return sb_err_refuse(err, EINVAL,
				     "'pull' is '%.20s', not always, missing, never or newer",
				     pull);
	return 0;
}

/**
 * sb_settings_file() - The configuration file
 *
 * Return: path, borrowed: SB_SETTINGS_FILE, or what SBRUN_CONFIG names
 */
const char *sb_settings_file(void)
{
	const char *named = getenv("SBRUN_CONFIG");

	return named && named[0] ? named : SB_SETTINGS_FILE;
}

/**
 * sb_settings_load() - Read the configuration file
 * @ret:	initialised; released by sb_settings_done()
 *
 * The file is SB_SETTINGS_FILE, which may be missing, or the one named by SBRUN_CONFIG, which may
 * not.
 *
 * Return: 0, or a negative errno value; the message names file and key
 */
int sb_settings_load(struct sb_settings *ret, struct sb_err *err)
{
	const char *path = sb_settings_file();
	struct sb_settings s = SB_SETTINGS_INIT;
	_cleanup_free_ char *text = NULL;
	_cleanup_json_ json_t *file = NULL;
	size_t len;

	if (read_file(path, &text, &len, err) < 0) {
		if (err->code != ENOENT || getenv("SBRUN_CONFIG") == path)
			return sb_err_prefix(err, "configuration");
		*ret = s;
		return 0;
	}
	if (sb_json_parse(text, len, &file, err) < 0 || take_all(file, &s, err) < 0) {
		sb_settings_done(&s);
		return sb_err_prefix(err, "configuration '%.100s'", path);
	}
	*ret = s;
	return 0;
}

/**
 * sb_settings_check_allowed() - Whether a registry may be contacted
 * @settings:	configuration
 * @host:	as in references
 *
 * Return: 0 or -EPERM
 */
int sb_settings_check_allowed(const struct sb_settings *settings, const char *host,
			      struct sb_err *err)
{
	const struct sb_settings_registry *set = sb_settings_registry(settings, host);

	if (!set || !set->blocked)
		return 0;
	sb_err_refuse(err, EPERM, "the registry '%.100s' is blocked", host);
	return sb_err_hint(err, "by registries, '%.50s' in '%.80s'", host, sb_settings_file());
}

/**
 * sb_settings_done() - Release the configuration
 * @settings:	loaded; has the defaults afterwards
 */
void sb_settings_done(struct sb_settings *settings)
{
	for (size_t i = 0; i < settings->n_registries; i++) {
		free(settings->registries[i].host);
		sb_strv_done(&settings->registries[i].mirrors);
		free(settings->registries[i].ca_pem);
	}
	free(settings->registries);
	*settings = (struct sb_settings)SB_SETTINGS_INIT;
}

/**
 * sb_settings_registry() - What is set for a registry
 * @settings:	configuration
 * @host:	as in references
 *
 * Return: borrowed from @settings, or NULL if nothing is set
 */
const struct sb_settings_registry *sb_settings_registry(const struct sb_settings *settings,
							const char *host)
{
	for (size_t i = 0; i < settings->n_registries; i++)
		if (!strcmp(settings->registries[i].host, host))
			return &settings->registries[i];
	return NULL;
}
