/* SPDX-License-Identifier: Apache-2.0 */
/* hash.c - sha256 of streams and buffers, by OpenSSL (which uses the CPU's SHA instructions) */
#include "images/hash.h"

#include <errno.h>
#include <stdio.h>

#include <openssl/evp.h>

#include "images/digest.h"
#include "runtime/base/err.h"

#define SHA256_LEN 32

/**
 * sb_hash_init() - Start a sha256
 * @hash:	caller's memory; sb_hash_done() releases what it holds
 *
 * Return: 0, or -ENOMEM
 */
int sb_hash_init(struct sb_hash *hash, struct sb_err *err)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();

	if (!ctx || !EVP_DigestInit_ex(ctx, EVP_sha256(), NULL)) {
		EVP_MD_CTX_free(ctx);
		return sb_err_set(err, ENOMEM, "start a sha256");
	}
	*hash = (struct sb_hash){ .ctx = ctx };
	return 0;
}

/**
 * sb_hash_update() - Add bytes
 * @hash:	started
 * @data:	bytes
 * @len:	how many
 */
void sb_hash_update(struct sb_hash *hash, const void *data, size_t len)
{
	if (!EVP_DigestUpdate(hash->ctx, data, len))
		hash->failed = true;
}

/**
 * sb_hash_final() - The digest of all bytes added
 * @hash:	started; takes no more bytes afterwards
 * @ret_digest:	"sha256:…", room for SB_DIGEST_SIZE bytes
 *
 * Return: 0, or -EIO if OpenSSL failed
 */
int sb_hash_final(struct sb_hash *hash, char *ret_digest, struct sb_err *err)
{
	unsigned char md[EVP_MAX_MD_SIZE];
	unsigned int len;
	int n;

	if (hash->failed || !EVP_DigestFinal_ex(hash->ctx, md, &len) || len != SHA256_LEN)
		return sb_err_set(err, EIO, "compute a sha256");
	n = snprintf(ret_digest, SB_DIGEST_SIZE, "sha256:");
	for (unsigned int i = 0; i < SHA256_LEN; i++)
		n += snprintf(ret_digest + n, SB_DIGEST_SIZE - (size_t)n, "%02x", md[i]);
	return 0;
}

/**
 * sb_hash_done() - Release what a digest in the making holds
 * @hash:	started or not
 */
void sb_hash_done(struct sb_hash *hash)
{
	EVP_MD_CTX_free(hash->ctx);
	hash->ctx = NULL;
}

/**
 * sb_hash_buffer() - The digest of bytes in memory
 * @data:	bytes
 * @len:	how many
 * @ret_digest:	"sha256:…", room for SB_DIGEST_SIZE bytes
 *
 * Return: 0, or a negative errno value
 */
int sb_hash_buffer(const void *data, size_t len, char *ret_digest, struct sb_err *err)
{
	struct sb_hash hash = SB_HASH_INIT;
	int r;

	if (sb_hash_init(&hash, err) < 0)
		return -err->code;
	sb_hash_update(&hash, data, len);
	r = sb_hash_final(&hash, ret_digest, err);
	sb_hash_done(&hash);
	return r;
}
