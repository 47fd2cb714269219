/* SPDX-License-Identifier: Apache-2.0 */
/*
 * registry.h - what one repository of a registry has: manifests and blobs, over HTTP
 */
#ifndef SB_IMAGES_REGISTRY_H
#define SB_IMAGES_REGISTRY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "images/digest.h"

struct sb_err;
struct sb_image_ref;
struct sb_registry;

#define SB_REGISTRY_HOSTS_MAX 9 /* mirrors and the registry itself */

/**
 * struct sb_registry_host - where a registry or a mirror of it answers, and how; all borrowed
 * @host:		"registry-1.docker.io", "[::1]:5000"
 * @prefix:		path put before the repository (mirrors), "" for none
 * @ns:			of a mirror: the host as in the reference, told to it as ?ns=; NULL for the
 *			registry itself
 * @insecure:		TLS is not verified
 * @plain_allowed:	plain HTTP will do where there is no TLS (loopback without @ca_pem, or
 *			@insecure)
 * @ca_pem:		certificates to trust instead of the system's; NULL for the system's, which
 *			OpenSSL looks up in its own directory when it has to verify
 * @username:		NULL: anonymous
 * @password:		NULL: anonymous
 * @identity_token:	instead of a password; NULL: none
 * @source:		file or program that has these, for people; NULL: none, or not known
 */
struct sb_registry_host {
	const char *host;
	const char *prefix;
	const char *ns;
	bool insecure;
	bool plain_allowed;
	const char *ca_pem;
	const char *username;
	const char *password;
	const char *identity_token;
	const char *source;
};

/**
 * struct sb_registry_hooks - what the caller wants to be asked and told, from any thread
 * @notice:	a line for the user: a warning of the registry (each once), a retry; NULL: untold
 * @cancelled:	polled about once a second at least: true ends the request; NULL: never
 * @ctx:	for both
 */
struct sb_registry_hooks {
	void (*notice)(void *ctx, const char *text);
	bool (*cancelled)(void *ctx);
	void *ctx;
};

/**
 * struct sb_registry_blob - a blob and the file it goes to
 * @digest:	what to get; the caller verifies what came
 * @size:	bytes that it has
 * @fd:		open file, borrowed; written by pwrite(2) from @have on
 * @have:	bytes the file has already; they are kept as long as the server resumes there
 * @progress:	called after each write with how much of the file is written, never with less than
 *		before; NULL: not called
 * @ctx:	for it
 */
struct sb_registry_blob {
	const char *digest;
	uint64_t size;
	int fd;
	uint64_t have;
	void (*progress)(void *ctx, uint64_t have);
	void *ctx;
};

/**
 * struct sb_registry_manifest - a manifest or an index; release with sb_registry_manifest_done()
 * @data:	its bytes, with a NUL appended; owned
 * @len:	how many, at most SB_MANIFEST_MAX_BYTES
 * @type:	Content-Type without parameters, in lower case; "" if there was none
 * @digest:	of @data, computed
 */
struct sb_registry_manifest {
	char *data;
	size_t len;
	char type[128];
	char digest[SB_DIGEST_SIZE];
};

struct sb_registry *sb_registry_new(const struct sb_image_ref *ref,
				    const struct sb_registry_host *hosts, size_t n_hosts,
				    const struct sb_registry_hooks *hooks, struct sb_err *err);
void sb_registry_free(struct sb_registry *reg);
int sb_registry_get_manifest(struct sb_registry *reg, const char *what,
			     struct sb_registry_manifest *ret, struct sb_err *err);
void sb_registry_manifest_done(struct sb_registry_manifest *manifest);
int sb_registry_head_manifest(struct sb_registry *reg, const char *what,
			      char ret_digest[SB_DIGEST_SIZE], struct sb_err *err);
int sb_registry_get_blob(struct sb_registry *reg, const struct sb_registry_blob *blob,
			 struct sb_err *err);
int sb_registry_get_small_blob(struct sb_registry *reg, const char *digest, uint64_t size,
			       char **ret, struct sb_err *err);
int sb_registry_ping(struct sb_registry *reg, struct sb_err *err);

static inline void sb_cleanup_registry(struct sb_registry **reg)
{
	sb_registry_free(*reg);
}
#define _cleanup_registry_ __attribute__((cleanup(sb_cleanup_registry)))

#endif /* SB_IMAGES_REGISTRY_H */
