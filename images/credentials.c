/* SPDX-License-Identifier: Apache-2.0 */
/*
 * credentials.c - user names and passwords for registries, where docker and podman keep them
 *
 * Formats and places: containers-auth.json(5), and docker's config.json ("docker login"). Both are
 * one JSON object: "auths" has an entry per registry, or, with podman, per beginning of a
 * repository; "credHelpers" and "credsStore" name programs that keep the secrets instead. The files
 * belong to the user: they may be symbolic links, and what else is in them is kept.
 */
#include "images/credentials.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>
#include <openssl/evp.h>

#include "images/helper.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/json.h"
#include "runtime/base/path.h"

#define FILE_MAX_BYTES (1 << 20)
#define FILES_MAX      4
#define KEY_SIZE       512
#define HELPER_PREFIX  "docker-credential-"
#define HUB            "docker.io"
#define HUB_KEY        "https://index.docker.io/v1/" /* docker's own name for it, in all its files */

/* The files to look into, in this order; login writes to the last unless another has the host. */
struct places {
	char path[FILES_MAX][PATH_MAX];
	size_t n;
};

static void wipe(char *secret)
{
	if (secret)
		explicit_bzero(secret, strlen(secret));
	free(secret);
}

static void cleanup_secret(char **secret)
{
	wipe(*secret);
}
#define _cleanup_secret_ _cleanup_(cleanup_secret)

/**
 * sb_credentials_done() - Wipe and free
 * @credentials:	empty afterwards
 */
void sb_credentials_done(struct sb_credentials *credentials)
{
	wipe(credentials->username);
	wipe(credentials->password);
	wipe(credentials->identity_token);
	free(credentials->source);
	*credentials = (struct sb_credentials)SB_CREDENTIALS_INIT;
}

/* Add "<$variable><rest>" if the variable is set. Return: whether it is */
static bool add_place(struct places *p, const char *variable, const char *rest)
{
	const char *value = getenv(variable);

	if (!value || !value[0])
		return false;
	snprintf(p->path[p->n], sizeof(p->path[0]), "%s%s", value, rest);
	p->n++;
	return true;
}

static void find_places(struct places *p)
{
	p->n = 0;
	if (add_place(p, "REGISTRY_AUTH_FILE", ""))
		return;
	if (!add_place(p, "XDG_RUNTIME_DIR", "/containers/auth.json")) {
		snprintf(p->path[0], sizeof(p->path[0]), "/run/containers/%u/auth.json", getuid());
		p->n++;
	}
	if (!add_place(p, "XDG_CONFIG_HOME", "/containers/auth.json"))
		(void)add_place(p, "HOME", "/.config/containers/auth.json");
	if (!add_place(p, "DOCKER_CONFIG", "/config.json"))
		(void)add_place(p, "HOME", "/.docker/config.json");
}

static int check_types(const json_t *file, struct sb_err *err)
{
	static const char *const objects[] = { "auths", "credHelpers" };
	const char *ignored = NULL;

	if (!json_is_object(file))
		return sb_err_refuse(err, EPROTO, "it is not a JSON object");
	for (size_t i = 0; i < SB_ARRAY_SIZE(objects); i++) {
		const json_t *v = json_object_get(file, objects[i]);

		if (v && !json_is_null(v) && !json_is_object(v))
			return sb_err_refuse(err, EPROTO, "'%s' is not an object", objects[i]);
	}
	return sb_json_get_str(file, "credsStore", &ignored, err);
}

/* Read one of the files. Return: 0 with @ret NULL if there is none */
static int load(const char *path, json_t **ret, struct sb_err *err)
{
	_cleanup_fd_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	_cleanup_secret_ char *text = NULL;
	size_t len;

	*ret = NULL;
	if (fd < 0)
		return errno == ENOENT || errno == ENOTDIR
			       ? 0
			       : sb_err_set(err, errno, "open '%.150s'", path);
	if (sb_read_fd(fd, path, FILE_MAX_BYTES, &text, &len, err) < 0)
		return -err->code;
	if (strspn(text, " \t\r\n") == len) /* docker reads it so, and mktemp(1) makes it so */
		return 0;
	if (sb_json_parse(text, len, ret, err) < 0)
		return sb_err_prefix(err, "'%.150s'", path);
	if (check_types(*ret, err) == 0)
		return 0;
	json_decref(*ret);
	*ret = NULL;
	return sb_err_prefix(err, "'%.150s'", path);
}

/*
 * What a key of "auths" stands for: "docker.io", "quay.io/user". Docker's keys may be URLs; the
 * case of letters in a host means nothing (RFC 3986 section 3.2.2).
 */
static void normalise_key(const char *key, char *buf)
{
	static const char *const aliases[] = { "index.docker.io", "registry-1.docker.io" };
	const char *scheme = strstr(key, "://");
	const char *s = scheme ? scheme + 3 : key;
	size_t len = scheme ? strcspn(s, "/") : strlen(s);

	while (len > 0 && s[len - 1] == '/')
		len--;
	/* The API of the registry, not a repository. */
	if (len > 3 && (!strncmp(s + len - 3, "/v1", 3) || !strncmp(s + len - 3, "/v2", 3)))
		len -= 3;
	snprintf(buf, KEY_SIZE, "%.*s", (int)(len < KEY_SIZE ? len : 0), s);
	for (char *p = buf; *p && *p != '/'; p++)
		*p = (char)tolower((unsigned char)*p);
	for (size_t i = 0; i < SB_ARRAY_SIZE(aliases); i++)
		if (!strcmp(buf, aliases[i]))
			strcpy(buf, HUB);
}

/* How much of @name a key stands for, in bytes; 0: it is for something else. */
static size_t match_key(const char *key, const char *name)
{
	char prefix[KEY_SIZE];
	size_t len;

	normalise_key(key, prefix);
	len = strlen(prefix);
	return len && !strncmp(prefix, name, len) && (!name[len] || name[len] == '/') ? len : 0;
}

/* The entry of @obj whose key fits @name best, or NULL. */
static json_t *best_entry(json_t *obj, const char *name)
{
	json_t *best = NULL, *value;
	size_t longest = 0;
	const char *key;

	json_object_foreach(obj, key, value)
	{
		size_t len = match_key(key, name);

		if (len > longest) {
			longest = len;
			best = value;
		}
	}
	return best;
}

/* The program that keeps the secrets for @host, or NULL. */
static const char *helper_for(const json_t *file, const char *host)
{
	const json_t *one = best_entry(json_object_get(file, "credHelpers"), host);
	const char *name = json_string_value(one ? one : json_object_get(file, "credsStore"));

	return name && name[0] ? name : NULL;
}

/* What helpers and docker call a registry. */
static const char *server_of(const char *host)
{
	return strcmp(host, HUB) == 0 ? HUB_KEY : host;
}

static int copy(char **ret, const char *s, struct sb_err *err)
{
	*ret = s ? strdup(s) : NULL;
	return s && !*ret ? sb_err_set(err, ENOMEM, "keep credentials") : 0;
}

/* "user:password" into two. */
static int take_pair(const char *pair, struct sb_credentials *ret, struct sb_err *err)
{
	const char *colon = strchr(pair, ':');

	if (!colon || colon == pair)
		return sb_err_refuse(err, EPROTO, "'auth' is not user:password in base64");
	ret->username = strndup(pair, (size_t)(colon - pair));
	if (!ret->username)
		return sb_err_set(err, ENOMEM, "keep credentials");
	return copy(&ret->password, colon + 1, err);
}

static int take_base64(const char *base64, struct sb_credentials *ret, struct sb_err *err)
{
	size_t len = strlen(base64);
	_cleanup_secret_ char *pair = calloc(1, len + 4);

	if (!pair)
		return sb_err_set(err, ENOMEM, "keep credentials");
	/* It writes zeros for the padding, and so ends the string. */
	if (EVP_DecodeBlock((unsigned char *)pair, (const unsigned char *)base64, (int)len) < 0)
		return sb_err_refuse(err, EPROTO, "'auth' is not base64");
	return take_pair(pair, ret, err);
}

/* An entry of "auths". Return: 1, or 0 if there is nothing in it (a helper has the secret) */
static int take_entry(const json_t *entry, struct sb_credentials *ret, struct sb_err *err)
{
	const char *auth = NULL, *token = NULL, *username = NULL, *password = NULL;

	if (!json_is_object(entry))
		return sb_err_refuse(err, EPROTO, "the entry is not an object");
	if (sb_json_get_str(entry, "auth", &auth, err) < 0 ||
	    sb_json_get_str(entry, "identitytoken", &token, err) < 0 ||
	    sb_json_get_str(entry, "username", &username, err) < 0 ||
	    sb_json_get_str(entry, "password", &password, err) < 0)
		return -err->code;
	if (token && token[0] && copy(&ret->identity_token, token, err) < 0)
		return -err->code;
	if (auth && auth[0])
		return take_base64(auth, ret, err) < 0 ? -err->code : 1;
	if (username && username[0] && password) {
		if (copy(&ret->username, username, err) < 0 ||
		    copy(&ret->password, password, err) < 0)
			return -err->code;
		return 1;
	}
	return ret->identity_token != NULL;
}

/* Ask a helper. Return: 1: found, 0: it has none, or -errno */
static int ask_helper(const char *helper, const char *host, struct sb_credentials *ret,
		      struct sb_err *err)
{
	const char *username = NULL, *secret = NULL;
	_cleanup_secret_ char *text = NULL;
	_cleanup_json_ json_t *answer = NULL;
	int r = sb_helper_run(helper, "get", server_of(host), &text, err);

	if (r != 0)
		return r > 0 ? 0 : r;
	if (sb_json_parse(text, strlen(text), &answer, err) < 0 ||
	    sb_json_need_str(answer, "Username", &username, err) < 0 ||
	    sb_json_need_str(answer, "Secret", &secret, err) < 0)
		return sb_err_prefix(err, "answer of the credential helper '%.64s'", helper);
	if (!secret[0])
		return 0;
	if (!strcmp(username, "<token>"))
		return copy(&ret->identity_token, secret, err) < 0 ? -err->code : 1;
	if (copy(&ret->username, username, err) < 0 || copy(&ret->password, secret, err) < 0)
		return -err->code;
	return 1;
}

static void host_of(const char *name, char *buf, size_t size)
{
	snprintf(buf, size, "%.*s", (int)strcspn(name, "/"), name);
}

/* Look into one file. Return: 1: found, 0: nothing there, or -errno */
static int find_in(const char *path, const char *name, struct sb_credentials *ret,
		   struct sb_err *err)
{
	_cleanup_json_ json_t *file = NULL;
	const json_t *entry;
	const char *helper;
	char host[KEY_SIZE], where[PATH_MAX] = "";
	int r = load(path, &file, err);

	if (r < 0 || !file)
		return r;
	host_of(name, host, sizeof(host));
	/* As docker does it: what a helper has counts more than an old entry of the file. */
	helper = helper_for(file, host);
	if (helper)
		r = ask_helper(helper, host, ret, err);
	if (r > 0)
		snprintf(where, sizeof(where), HELPER_PREFIX "%s", helper);
	entry = best_entry(json_object_get(file, "auths"), name);
	if (r == 0 && entry) {
		r = take_entry(entry, ret, err);
		snprintf(where, sizeof(where), "%s", path);
	}
	if (r > 0 && copy(&ret->source, where, err) < 0)
		r = -err->code;
	if (r < 0)
		return sb_err_prefix(err, "credentials for '%.60s' in '%.150s'", host, path);
	return r;
}

/**
 * sb_credentials_find() - Find credentials for an image or a registry
 * @name:	"docker.io/library/python", or a host alone
 * @ret:	empty; what was found, released by sb_credentials_done()
 *
 * The places are $REGISTRY_AUTH_FILE alone if it is set, else podman's auth.json and docker's
 * config.json. Credential helpers that they name are run.
 *
 * Return: 1: found, 0: there are none, or a negative errno value; messages name the file and never
 * have secrets in them
 */
int sb_credentials_find(const char *name, struct sb_credentials *ret, struct sb_err *err)
{
	struct sb_credentials found = SB_CREDENTIALS_INIT;
	struct places p;
	int r = 0;

	find_places(&p);
	for (size_t i = 0; i < p.n && r == 0; i++)
		r = find_in(p.path[i], name, &found, err);
	if (r > 0)
		*ret = found;
	else
		sb_credentials_done(&found);
	return r;
}

/* Write one of the files, 0600, at once; a symbolic link stays one. */
static int save(const char *path, const json_t *file, struct sb_err *err)
{
	_cleanup_secret_ char *text = json_dumps(file, JSON_INDENT(4));
	_cleanup_free_ char *real = realpath(path, NULL);
	_cleanup_fd_ int dir = -1;
	char *slash;

	if (!real)
		real = strdup(path); /* not there yet */
	if (!text || !real)
		return sb_err_set(err, ENOMEM, "write '%.150s'", path);
	slash = strrchr(real, '/');
	if (!slash || !slash[1])
		return sb_err_refuse(err, EINVAL, "'%.150s' is not an absolute path of a file",
				     path);
	*slash = '\0';
	dir = sb_ensure_dir_at(AT_FDCWD, real[0] ? real : "/", 0700, err);
	if (dir < 0 || sb_replace_at(dir, slash + 1, 0600, text, strlen(text), err) < 0)
		return sb_err_prefix(err, "'%.150s'", path);
	return 0;
}

/* Set the entry of @host in @file, under the key that it has or else docker's. */
static int set_entry(json_t *file, const char *host, const char *base64)
{
	json_t *auths = json_object_get(file, "auths");
	const char *key, *found = server_of(host);
	json_t *value;

	if (!json_is_object(auths)) {
		auths = json_object();
		if (json_object_set_new(file, "auths", auths) < 0)
			return -ENOMEM;
	}
	json_object_foreach(auths, key, value) if (match_key(key, host)) found = key;
	return json_object_set_new(auths, found, json_pack("{s:s}", "auth", base64)) < 0 ? -ENOMEM
											 : 0;
}

static int store_in_file(const char *path, json_t *file, const char *host,
			 const struct sb_credentials *c, struct sb_err *err)
{
	_cleanup_secret_ char *pair = NULL, *base64 = NULL;

	if (asprintf(&pair, "%s:%s", c->username, c->password) < 0) {
		pair = NULL;
		return sb_err_set(err, ENOMEM, "store credentials");
	}
	base64 = calloc(1, (strlen(pair) + 2) / 3 * 4 + 1);
	if (!base64)
		return sb_err_set(err, ENOMEM, "store credentials");
	(void)EVP_EncodeBlock((unsigned char *)base64, (unsigned char *)pair, (int)strlen(pair));
	if (set_entry(file, host, base64) < 0)
		return sb_err_set(err, ENOMEM, "store credentials");
	return save(path, file, err);
}

static int store_in_helper(const char *helper, const char *host, const struct sb_credentials *c,
			   struct sb_err *err)
{
	_cleanup_json_ json_t *o = json_pack("{s:s, s:s, s:s}", "ServerURL", server_of(host),
					     "Username", c->username, "Secret", c->password);
	_cleanup_secret_ char *text = o ? json_dumps(o, JSON_COMPACT) : NULL;
	int r;

	if (!text)
		return sb_err_set(err, EINVAL, "store credentials");
	r = sb_helper_run(helper, "store", text, NULL, err);
	return r > 0 ? sb_err_refuse(err, EIO, "the credential helper '%.64s' stores nothing",
				     helper)
		     : r;
}

/* Whether sb_credentials_find() would take what it finds for @host from this file. */
static bool has_host(const json_t *file, const char *host)
{
	return helper_for(file, host) || best_entry(json_object_get(file, "auths"), host);
}

/**
 * sb_credentials_store() - Keep credentials for a registry, where sb_credentials_find() finds them
 * @host:		as in references, "docker.io"
 * @credentials:	user name and password
 * @ret_where:		file, or program, that has them now; for people
 * @size:		its size
 *
 * In the first file that has something for the host already, else in docker's config.json (or in
 * $REGISTRY_AUTH_FILE): given to the credential helper that the file names, else written into it.
 *
 * Return: 0, or a negative errno value with the file unchanged
 */
int sb_credentials_store(const char *host, const struct sb_credentials *credentials,
			 char *ret_where, size_t size, struct sb_err *err)
{
	_cleanup_json_ json_t *file = NULL;
	const char *helper;
	struct places p;
	size_t i;

	find_places(&p);
	for (i = 0;; i++) {
		if (load(p.path[i], &file, err) < 0)
			return -err->code;
		if (i + 1 == p.n || (file && has_host(file, host)))
			break;
		json_decref(file);
		file = NULL;
	}
	if (!file)
		file = json_object();
	helper = helper_for(file, host);
	if (helper) {
		snprintf(ret_where, size, HELPER_PREFIX "%s", helper);
		return store_in_helper(helper, host, credentials, err);
	}
	snprintf(ret_where, size, "%s", p.path[i]);
	return store_in_file(p.path[i], file, host, credentials, err);
}

/* Return: 1: removed, 0: there was nothing, or -errno */
static int erase_in_helper(const char *helper, const char *host, struct sb_err *err)
{
	struct sb_credentials found = SB_CREDENTIALS_INIT;
	int r = ask_helper(helper, host, &found, err);

	sb_credentials_done(&found);
	if (r <= 0)
		return r;
	r = sb_helper_run(helper, "erase", server_of(host), NULL, err);
	return r < 0 ? r : 1;
}

/* Return: 1: removed, 0: there was nothing, or -errno */
static int erase_in_file(const char *path, json_t *file, const char *host, struct sb_err *err)
{
	json_t *auths = json_object_get(file, "auths");
	bool changed = false;
	const char *key;
	json_t *value;
	void *next;

	json_object_foreach_safe(auths, next, key, value)
	{
		if (!match_key(key, host))
			continue;
		changed = true;
		(void)json_object_del(auths, key);
	}
	if (!changed)
		return 0;
	return save(path, file, err) < 0 ? -err->code : 1;
}

/* Add the entries for single repositories of @host to @kept, as {"name", "file"}. */
static int list_repositories(const char *path, const json_t *file, const char *host, json_t *kept)
{
	json_t *auths = json_object_get(file, "auths");
	size_t len = strlen(host);
	char name[KEY_SIZE];
	const char *key;
	json_t *value;

	json_object_foreach(auths, key, value)
	{
		normalise_key(key, name);
		if (strncmp(name, host, len) != 0 || name[len] != '/')
			continue;
		if (json_array_append_new(kept,
					  json_pack("{s:s, s:s}", "name", name, "file", path)) < 0)
			return -ENOMEM;
	}
	return 0;
}

/**
 * sb_credentials_erase() - Forget the credentials for a registry, wherever they are found
 * @host:	as in references
 * @kept:	list, to which the entries for single repositories of it are added: podman makes
 *		them, and they stay
 *
 * Return: 1: erased, 0: there were none, or a negative errno value, perhaps with some erased
 */
int sb_credentials_erase(const char *host, json_t *kept, struct sb_err *err)
{
	struct places p;
	int erased = 0;

	find_places(&p);
	for (size_t i = 0; i < p.n; i++) {
		_cleanup_json_ json_t *file = NULL;
		const char *helper;
		int r = load(p.path[i], &file, err);

		if (r < 0)
			return r;
		if (!file)
			continue;
		helper = helper_for(file, host);
		r = helper ? erase_in_helper(helper, host, err) : 0;
		erased |= r > 0;
		if (r >= 0)
			r = erase_in_file(p.path[i], file, host, err);
		if (r < 0)
			return sb_err_prefix(err, "credentials for '%.60s'", host);
		if (list_repositories(p.path[i], file, host, kept) < 0)
			return sb_err_set(err, ENOMEM, "list credentials");
		erased |= r > 0;
	}
	return erased;
}
