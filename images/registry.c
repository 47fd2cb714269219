/* SPDX-License-Identifier: Apache-2.0 */
/*
 * registry.c - what one repository of a registry has: manifests and blobs, over HTTP
 *
 * OCI distribution-spec "Pull". Nothing that a registry says is believed but what fits a digest or
 * what can be computed from the bytes: Docker-Content-Digest may only contradict.
 */
#include "images/registry.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "images/exchange.h"
#include "images/hash.h"
#include "images/refusal.h"
#include "images/store.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/err.h"

#define WHAT_SIZE     (SB_REFERENCE_SIZE + 16) /* "image 'x:y'" */
#define PATH_SIZE     (SB_REFERENCE_TAG_MAX + 32)
#define PING_BODY_MAX (64 << 10)

/* image-spec manifest.md, image-index.md; distribution "Image Manifest Version 2, Schema 2". */
#define MANIFEST_TYPES                                           \
	"application/vnd.oci.image.manifest.v1+json, "           \
	"application/vnd.oci.image.index.v1+json, "              \
	"application/vnd.docker.distribution.manifest.v2+json, " \
	"application/vnd.docker.distribution.manifest.list.v2+json"

static int add_host(struct sb_registry *reg, const struct sb_registry_host *from,
		    struct sb_err *err)
{
	struct sb_exchange_host *host = &reg->hosts[reg->n_hosts];

	host->host = *from;
	host->peer.insecure = from->insecure;
	host->peer.plain_allowed = from->plain_allowed;
	host->peer.own_ca = from->ca_pem != NULL;
	host->peer.direct = sb_http_is_loopback(from->host);
	host->peer.trust = &host->trust;
	if (!from->insecure && sb_trust_init(&host->trust, from->ca_pem, err) < 0)
		return sb_err_prefix(err, "registry '%s'", from->host);
	host->auth =
		(struct sb_auth){ .http = reg->http,
				  .hooks = &reg->hooks,
				  .host = &host->host,
				  .peer = &host->peer,
				  .login = from->ns || !reg->login[0] ? from->host : reg->login,
				  .scope = reg->scope[0] ? reg->scope : NULL };
	sb_auth_init(&host->auth);
	reg->n_hosts++;
	return 0;
}

/* "docker.io/library/python" into host, path and scope of tokens. */
static void take_name(struct sb_registry *reg, const struct sb_image_ref *ref)
{
	const char *slash = strchr(ref->name, '/');

	snprintf(reg->login, sizeof(reg->login), "%.*s", (int)(slash - ref->name), ref->name);
	memcpy(reg->name, ref->name, sizeof(reg->name));
	reg->repository = reg->name + (slash + 1 - ref->name);
	snprintf(reg->scope, sizeof(reg->scope), "repository:%s:pull", reg->repository);
}

/**
 * sb_registry_new() - Prepare to talk to a registry; sends nothing yet
 * @ref:	image, complete; NULL if only sb_registry_ping() will be used
 * @hosts:	places where it is, mirrors first, the registry itself last; their strings are
 *		borrowed until sb_registry_free()
 * @n_hosts:	1 to SB_REGISTRY_HOSTS_MAX
 * @hooks:	what the caller wants to be told, copied; NULL: nothing
 *
 * Several threads may use the result at once.
 *
 * Return: the registry, freed by sb_registry_free(), or NULL with @err set (EINVAL: no certificate
 * in a ca_pem)
 */
struct sb_registry *sb_registry_new(const struct sb_image_ref *ref,
				    const struct sb_registry_host *hosts, size_t n_hosts,
				    const struct sb_registry_hooks *hooks, struct sb_err *err)
{
	_cleanup_registry_ struct sb_registry *reg = calloc(1, sizeof(*reg));

	if (!reg) {
		sb_err_set(err, ENOMEM, "prepare for a registry");
		return NULL;
	}
	(void)pthread_mutex_init(&reg->lock, NULL);
	if (hooks)
		reg->hooks = *hooks;
	if (ref)
		take_name(reg, ref);
	reg->hosts = calloc(n_hosts, sizeof(*reg->hosts));
	if (!reg->hosts) {
		sb_err_set(err, ENOMEM, "prepare for a registry");
		return NULL;
	}
	reg->http = sb_http_new(reg->hooks.cancelled, reg->hooks.ctx, err);
	if (!reg->http)
		return NULL;
	for (size_t i = 0; i < n_hosts; i++)
		if (add_host(reg, &hosts[i], err) < 0)
			return NULL;
	return sb_steal_ptr(&reg);
}

/**
 * sb_registry_free() - Close connections, forget tokens
 * @reg:	registry that no thread uses any more, or NULL
 */
void sb_registry_free(struct sb_registry *reg)
{
	if (!reg)
		return;
	for (size_t i = 0; i < reg->n_hosts; i++) {
		sb_auth_done(&reg->hosts[i].auth);
		sb_trust_done(&reg->hosts[i].trust);
	}
	free(reg->hosts);
	sb_http_free(reg->http);
	for (size_t i = 0; i < reg->n_warnings; i++)
		free(reg->warnings[i]);
	(void)pthread_mutex_destroy(&reg->lock);
	free(reg);
}

/* Something of a bounded size, kept in memory. */
struct small {
	const char *name;   /* tag or digest */
	const char *digest; /* what it must have; NULL: any */
	uint64_t size;      /* of a blob */
	bool manifest;
	bool head;
	struct sb_http_answer answer;
	char computed[SB_DIGEST_SIZE];
};

/* "image 'python:3.12'" or "blob 'sha256:…'", the latter being part of an image that is known. */
static void describe(const struct sb_registry *reg, const struct small *s, char *buf, size_t size)
{
	struct sb_image_ref ref = { .tag = "" };
	char familiar[SB_REFERENCE_SIZE];

	if (!s->manifest) {
		snprintf(buf, size, "blob '%s'", s->name);
		return;
	}
	memcpy(ref.name, reg->name, sizeof(ref.name));
	if (s->digest)
		snprintf(ref.digest, sizeof(ref.digest), "%s", s->digest);
	else
		snprintf(ref.tag, sizeof(ref.tag), "%s", s->name);
	sb_reference_familiar(&ref, familiar, sizeof(familiar));
	snprintf(buf, size, "image '%s'", familiar);
}

/* The body against what is known about it. */
static int verify(const struct sb_exchange_host *host, struct small *s, const char *what,
		  struct sb_err *err)
{
	const struct sb_http_answer *a = &s->answer;
	const char *body = a->body ? a->body : "";

	if (!s->manifest && a->len != s->size)
		return sb_err_refuse(err, EBADMSG, "'%s' sent %zu bytes for the %s of %llu bytes",
				     host->host.host, a->len, what, (unsigned long long)s->size);
	if (sb_hash_buffer(body, a->len, s->computed, err) < 0)
		return -err->code;
	if (s->digest && strcmp(s->computed, s->digest) != 0)
		return sb_err_refuse(err, EBADMSG,
				     "'%s' sent other content for the %s: its digest "
				     "is %s",
				     host->host.host, what, s->computed);
	if (!s->digest && a->digest[0] && strcmp(s->computed, a->digest) != 0)
		return sb_err_refuse(err, EBADMSG,
				     "'%s' sent the %s damaged: its digest is not "
				     "the one in the header",
				     host->host.host, what);
	return 0;
}

/* For sb_exchange_each(). Return: 1 if the answer to a HEAD has no digest. */
static int ask_small(struct sb_registry *reg, struct sb_exchange_host *host, void *arg,
		     struct sb_err *err)
{
	struct small *s = arg;
	char what[WHAT_SIZE], path[PATH_SIZE];
	const struct sb_exchange q = {
		.what = what,
		.path = path,
		.request = { .accept = s->manifest ? MANIFEST_TYPES : NULL,
			     .head = s->head,
			     .body_max = s->manifest ? SB_MANIFEST_MAX_BYTES : s->size },
	};
	int r;

	describe(reg, s, what, sizeof(what));
	snprintf(path, sizeof(path), "%s/%s", s->manifest ? "manifests" : "blobs", s->name);
	r = sb_exchange(reg, host, &q, &s->answer, err);
	if (r == -EMSGSIZE)
		return sb_err_prefix(err, "%s", what);
	/* distribution-spec "Checking if content exists in the registry": HEAD must work; where it
	 * does not, GET tells.
	 */
	if (s->head && (r == 0 ? !s->answer.digest[0] : r == -EPROTO))
		return 1;
	if (r < 0 || s->head)
		return r;
	return verify(host, s, what, err);
}

/* Names come from the user or from a manifest; either way they become part of a URL. */
static int set_name(struct small *s, const char *name, struct sb_err *err)
{
	static const char tag_chars[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
					"0123456789_.-";

	s->name = name;
	if (sb_digest_is_valid(name))
		s->digest = name;
	else if (!s->manifest || !name[0] || strlen(name) > SB_REFERENCE_TAG_MAX ||
		 strspn(name, tag_chars) != strlen(name))
		return sb_err_refuse(err, EINVAL, "not a tag, and not a sha256 digest");
	return 0;
}

/**
 * sb_registry_get_manifest() - Get a manifest or an index
 * @reg:	registry
 * @what:	tag or digest
 * @ret:	what came, verified against @what if that is a digest; released by
 *		sb_registry_manifest_done()
 *
 * Return: 0, or a negative errno value (-ENOENT: no such image, -EACCES: not for us, -EBADMSG: the
 * digest is wrong, -EBUSY: too many requests, -ECANCELED, -EMSGSIZE: too long; others: no answer)
 */
int sb_registry_get_manifest(struct sb_registry *reg, const char *what,
			     struct sb_registry_manifest *ret, struct sb_err *err)
{
	struct small s = { .manifest = true, .answer = SB_HTTP_ANSWER_INIT };
	int r = set_name(&s, what, err);

	if (r == 0)
		r = sb_exchange_each(reg, ask_small, &s, err);
	if (r == 0 && !s.answer.body)
		r = sb_err_refuse(err, EBADMSG, "the registry sent an empty manifest");
	if (r == 0) {
		ret->data = sb_steal_ptr(&s.answer.body);
		ret->len = s.answer.len;
		memcpy(ret->type, s.answer.type, sizeof(ret->type));
		memcpy(ret->digest, s.computed, sizeof(ret->digest));
	}
	sb_http_answer_done(&s.answer);
	return r;
}

/**
 * sb_registry_manifest_done() - Release a manifest
 * @manifest:	manifest; empty afterwards
 */
void sb_registry_manifest_done(struct sb_registry_manifest *manifest)
{
	free(manifest->data);
	*manifest = (struct sb_registry_manifest){ .data = NULL };
}

/**
 * sb_registry_head_manifest() - Which digest a tag has now, without getting what it stands for
 * @reg:	registry
 * @what:	tag or digest
 * @ret_digest:	what the registry says; of content that it would not have to send, so unverified
 *
 * Docker Hub does not count this as a pull. Where the registry does not say, the manifest is got.
 *
 * Return: 0, or a negative errno value as sb_registry_get_manifest()
 */
int sb_registry_head_manifest(struct sb_registry *reg, const char *what,
			      char ret_digest[SB_DIGEST_SIZE], struct sb_err *err)
{
	struct small s = { .manifest = true, .head = true, .answer = SB_HTTP_ANSWER_INIT };
	int r = set_name(&s, what, err);

	if (r == 0)
		r = sb_exchange_each(reg, ask_small, &s, err);
	if (r == 0)
		memcpy(ret_digest, s.answer.digest, SB_DIGEST_SIZE);
	if (r == 1) {
		s.head = false;
		r = sb_exchange_each(reg, ask_small, &s, err);
		if (r == 0)
			memcpy(ret_digest, s.computed, SB_DIGEST_SIZE);
	}
	sb_http_answer_done(&s.answer);
	return r;
}

/**
 * sb_registry_get_small_blob() - Get a blob into memory, such as a config
 * @reg:	registry
 * @digest:	its digest, verified
 * @size:	its bytes, verified; the caller has seen that they are not too many
 * @ret:	its content with a NUL appended; the caller frees it
 *
 * Return: 0, or a negative errno value as sb_registry_get_manifest() (-EBADMSG: digest or size are
 * wrong)
 */
int sb_registry_get_small_blob(struct sb_registry *reg, const char *digest, uint64_t size,
			       char **ret, struct sb_err *err)
{
	struct small s = { .size = size, .answer = SB_HTTP_ANSWER_INIT };
	int r = set_name(&s, digest, err);

	if (r == 0)
		r = sb_exchange_each(reg, ask_small, &s, err);
	if (r == 0) {
		*ret = s.answer.body ? sb_steal_ptr(&s.answer.body) : calloc(1, 1);
		if (!*ret)
			r = sb_err_set(err, ENOMEM, "keep a blob");
	}
	sb_http_answer_done(&s.answer);
	return r;
}

/**
 * sb_registry_ping() - Whether there is a registry, and whether it accepts our credentials
 * @reg:	registry; its mirrors are not asked
 *
 * GET /v2/ (OCI distribution-spec "Determining Support"). A registry that lets everybody in here
 * does not look at credentials.
 *
 * Return: 0, or a negative errno value (-EACCES: not accepted, -ENOENT: no registry)
 */
int sb_registry_ping(struct sb_registry *reg, struct sb_err *err)
{
	struct sb_exchange_host *host = &reg->hosts[reg->n_hosts - 1];
	struct sb_http_answer answer = SB_HTTP_ANSWER_INIT;
	const struct sb_exchange q = { .what = "registry",
				       .request = { .body_max = PING_BODY_MAX } };
	int r = sb_exchange(reg, host, &q, &answer, err);

	sb_http_answer_done(&answer);
	return r;
}
