/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reference.c - names of images as people write them: [host/]path[:tag][@digest]
 *
 * Grammar and completion follow the "reference" package of the CNCF distribution project, which
 * docker, podman and containerd share:
 *   path      := component ('/' component)*     component := [a-z0-9]+ ((\.|_|__|-+) [a-z0-9]+)*
 *   host      := (name | IPv4 | '[' IPv6 ']') [':' port]
 *   tag       := [A-Za-z0-9_] [A-Za-z0-9_.-]{0,127}
 * The first component is a host if it has a dot, a colon or an upper-case letter, or is
 * "localhost"; otherwise the image is one of Docker Hub, "docker.io", and there one without a
 * slash is of the user "library".
 *
 * Unlike there, the host is taken in lower case: it is the same one in any case (RFC 3986 section
 * 3.2.2), and must not get around what is configured for it by another spelling.
 */
#include "images/reference.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/err.h"
#include "runtime/base/num.h"

#define HUB         "docker.io"
#define HUB_LIBRARY "library/"

#define LOWER_DIGIT "abcdefghijklmnopqrstuvwxyz0123456789"
#define ALNUM       LOWER_DIGIT "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define HEX_COLON   "0123456789abcdefABCDEF:"

/* A host name: labels of letters, digits and inner hyphens, joined by dots. */
static bool host_name_is_valid(const char *s, size_t len)
{
	bool label_open = false;

	for (size_t i = 0; i < len; i++) {
		bool alnum = isalnum((unsigned char)s[i]);

		if (!alnum && s[i] != '-' && s[i] != '.')
			return false;
		/* A label neither begins nor ends with a hyphen, and is not empty. */
		if (!alnum && !label_open)
			return false;
		if (s[i] == '.' && s[i - 1] == '-')
			return false;
		label_open = s[i] != '.';
	}
	return label_open && s[len - 1] != '-';
}

static bool host_is_valid(const char *s, size_t len)
{
	const char *end = s + len;
	const char *port = NULL;
	char digits[8];
	size_t host_len = len;
	uint16_t value;

	if (s[0] == '[') {
		size_t n = strspn(s + 1, HEX_COLON);

		if (n == 0 || s + 1 + n >= end || s[1 + n] != ']')
			return false;
		host_len = n + 2;
	} else {
		const char *colon = memchr(s, ':', len);

		if (colon)
			host_len = (size_t)(colon - s);
		if (!host_name_is_valid(s, host_len))
			return false;
	}
	if (host_len == len)
		return true;
	port = s + host_len;
	if (*port != ':' || (size_t)(end - port) > sizeof(digits))
		return false;
	snprintf(digits, sizeof(digits), "%.*s", (int)(end - port - 1), port + 1);
	return sb_parse_port(digits, &value) == 0;
}

/* A path: components of lower-case letters and digits, each with single separators inside. */
static bool path_is_valid(const char *s)
{
	for (;;) {
		size_t n = strspn(s, LOWER_DIGIT);

		if (n == 0)
			return false;
		s += n;
		if (!*s)
			return true;
		if (*s == '-')
			s += strspn(s, "-");
		else if (s[0] == '_' && s[1] == '_')
			s += 2;
		else if (strchr("._/", *s))
			s++;
		else
			return false;
	}
}

static bool tag_is_valid(const char *s)
{
	return *s && !strchr(".-", *s) && strspn(s, ALNUM "_.-") == strlen(s) &&
	       strlen(s) <= SB_REFERENCE_TAG_MAX;
}

/* How long the host at the start of a name is; 0 if the name has none (see the head). */
static size_t host_length(const char *name)
{
	const char *slash = strchr(name, '/');
	size_t len = slash ? (size_t)(slash - name) : 0;

	if (len == 9 && !memcmp(name, "localhost", len))
		return len;
	for (size_t i = 0; i < len; i++)
		if (name[i] == '.' || name[i] == ':' || isupper((unsigned char)name[i]))
			return len;
	return 0;
}

/* Docker Hub has several names: that of its web site, its index and its API. */
static bool host_is_hub(const char *s, size_t len)
{
	static const char *const names[] = { HUB, "index." HUB, "registry-1." HUB };

	for (size_t i = 0; i < SB_ARRAY_SIZE(names); i++)
		if (len == strlen(names[i]) && !memcmp(s, names[i], len))
			return true;
	return false;
}

static int refuse(const char *text, const char *why, struct sb_err *err)
{
	return sb_err_refuse(err, EINVAL, "image reference '%.100s': %s", text, why);
}

/* Complete "[host/]path" into ret->name; the host in @name becomes lower case. */
static int take_name(const char *text, char *name, struct sb_image_ref *ret, struct sb_err *err)
{
	size_t host_len = host_length(name);
	const char *path = host_len ? name + host_len + 1 : name;
	int n;

	if (host_len && !host_is_valid(name, host_len))
		return refuse(text, "not a valid registry host", err);
	for (size_t i = 0; i < host_len; i++)
		name[i] = (char)tolower((unsigned char)name[i]);
	if (host_length(name) != host_len) {
		refuse(text, "the registry is not to be told from a user of Docker Hub", err);
		return sb_err_hint(err, "write it with its port, as in %.*s:443/…", (int)host_len,
				   name);
	}
	for (const char *p = path; *p; p++)
		if (isupper((unsigned char)*p))
			return refuse(text, "the name must be in lower case", err);
	if (!path_is_valid(path))
		return refuse(text, "not a valid name", err);
	if (!host_len || host_is_hub(name, host_len))
		n = snprintf(ret->name, sizeof(ret->name), HUB "/%s%s",
			     strchr(path, '/') ? "" : HUB_LIBRARY, path);
	else
		n = snprintf(ret->name, sizeof(ret->name), "%s", name);
	if ((size_t)n >= sizeof(ret->name))
		return refuse(text, "the name is longer than 255 bytes", err);
	return 0;
}

/**
 * sb_reference_parse() - Take a reference apart and complete it as docker does
 * @text:	what the user wrote, e.g. "python:3.12-slim" or "[2001:db8::1]:5000/x@sha256:…"
 * @ret:	written on success only
 *
 * 64 hex digits alone are refused: they name an image by its id, not by a reference.
 *
 * Return: 0 or -EINVAL
 */
int sb_reference_parse(const char *text, struct sb_image_ref *ret, struct sb_err *err)
{
	struct sb_image_ref ref = { .tag = "" };
	char buf[SB_REFERENCE_SIZE];
	char *digest, *tag, *slash;
	const char *scheme;

	if (strlen(text) >= sizeof(buf))
		return refuse(text, "too long", err);
	scheme = strstr(text, "://");
	if (scheme) {
		refuse(text, "not a valid name", err);
		return sb_err_hint(err, "write it without %.*s://", (int)(scheme - text), text);
	}
	snprintf(buf, sizeof(buf), "%s", text);
	if (strlen(buf) == SB_DIGEST_HEX_LEN && strspn(buf, "0123456789abcdef") == strlen(buf))
		return refuse(text, "64 hex digits are an image id, not a name", err);
	digest = strchr(buf, '@');
	if (digest) {
		*digest++ = '\0';
		if (!sb_digest_is_valid(digest))
			return refuse(text, "the digest is not sha256: and 64 hex digits", err);
		memcpy(ref.digest, digest, sizeof(ref.digest));
	}
	slash = strrchr(buf, '/');
	tag = strchr(slash ? slash : buf, ':');
	if (tag) {
		*tag++ = '\0';
		if (!tag_is_valid(tag))
			return refuse(text, "not a valid tag", err);
		snprintf(ref.tag, sizeof(ref.tag), "%s", tag);
	} else if (!digest) {
		snprintf(ref.tag, sizeof(ref.tag), "latest");
	}
	if (take_name(text, buf, &ref, err) < 0)
		return -err->code;
	*ret = ref;
	return 0;
}

/**
 * sb_reference_parse_host() - A registry as it stands at the front of references
 * @text:	"docker.io", "[::1]:5000"
 * @ret_host:	the same in lower case, "index.docker.io" as "docker.io"; room for
 *		SB_REFERENCE_NAME_MAX + 1 bytes
 *
 * Return: 0 or -EINVAL
 */
int sb_reference_parse_host(const char *text, char *ret_host, struct sb_err *err)
{
	struct sb_image_ref ref = { .tag = "" };
	char name[SB_REFERENCE_NAME_MAX + 1];

	if ((size_t)snprintf(name, sizeof(name), "%s/x", text) >= sizeof(name) ||
	    strchr(text, '/') || !host_length(name) || take_name(text, name, &ref, err) < 0)
		return sb_err_refuse(err, EINVAL,
				     "'%.100s' is not a registry, such as docker.io or [::1]:5000",
				     text);
	snprintf(ret_host, sizeof(ref.name), "%.*s", (int)strcspn(ref.name, "/"), ref.name);
	return 0;
}

/**
 * sb_reference_format() - A reference in full, the form under which the store keeps it
 * @ref:	reference
 * @buf:	"host/path[:tag][@digest]"
 * @size:	size of @buf; SB_REFERENCE_SIZE is enough
 */
void sb_reference_format(const struct sb_image_ref *ref, char *buf, size_t size)
{
	snprintf(buf, size, "%s%s%s%s%s", ref->name, ref->tag[0] ? ":" : "", ref->tag,
		 ref->digest[0] ? "@" : "", ref->digest);
}

/**
 * sb_reference_complete() - The full name under which an image is to be stored
 * @text:	what the user or the archive calls it
 * @buf:	"host/path:tag"
 * @size:	size of @buf; SB_REFERENCE_SIZE is enough
 *
 * Return: 0 or -EINVAL
 */
int sb_reference_complete(const char *text, char *buf, size_t size, struct sb_err *err)
{
	struct sb_image_ref ref = { .digest = "" };

	if (sb_reference_parse(text, &ref, err) < 0)
		return -err->code;
	if (ref.digest[0])
		return sb_err_refuse(err, EINVAL,
				     "an image is stored by name and tag, not by digest");
	sb_reference_format(&ref, buf, size);
	return 0;
}

/**
 * sb_reference_familiar() - A reference as short as people write it
 * @ref:	reference
 * @buf:	without "docker.io/library/" or "docker.io/", but always with the tag
 * @size:	size of @buf; SB_REFERENCE_SIZE is enough
 */
void sb_reference_familiar(const struct sb_image_ref *ref, char *buf, size_t size)
{
	struct sb_image_ref brief = *ref;
	const char *name = ref->name;

	if (!strncmp(name, HUB "/", sizeof(HUB))) {
		const char *user_path = name + sizeof(HUB);

		name = user_path;
		if (!strncmp(name, HUB_LIBRARY, sizeof(HUB_LIBRARY) - 1))
			name += sizeof(HUB_LIBRARY) - 1;
		/* "library/a.b/x" must not turn into the host "a.b". */
		if (host_length(name))
			name = user_path;
	}
	memmove(brief.name, brief.name + (name - ref->name), strlen(name) + 1);
	sb_reference_format(&brief, buf, size);
}
