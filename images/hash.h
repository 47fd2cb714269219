/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hash.h - sha256 of streams and buffers, by OpenSSL (which uses the CPU's SHA instructions)
 */
#ifndef SB_IMAGES_HASH_H
#define SB_IMAGES_HASH_H

#include <stdbool.h>
#include <stddef.h>

struct sb_err;

/**
 * struct sb_hash - a digest in the making
 * @ctx:	OpenSSL's EVP_MD_CTX, owned; NULL before init and after done
 * @failed:	OpenSSL refused something; sb_hash_final() reports it
 */
struct sb_hash {
	void *ctx;
	bool failed;
};

#define SB_HASH_INIT        \
	{                   \
		.ctx = NULL \
	}

int sb_hash_init(struct sb_hash *hash, struct sb_err *err);
void sb_hash_update(struct sb_hash *hash, const void *data, size_t len);
int sb_hash_final(struct sb_hash *hash, char *ret_digest, struct sb_err *err);
void sb_hash_done(struct sb_hash *hash);
int sb_hash_buffer(const void *data, size_t len, char *ret_digest, struct sb_err *err);

#endif /* SB_IMAGES_HASH_H */
