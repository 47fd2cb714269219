/* SPDX-License-Identifier: Apache-2.0 */
/*
 * trust.h - certificates that those of servers are verified with
 */
#ifndef SB_IMAGES_TRUST_H
#define SB_IMAGES_TRUST_H

#include <pthread.h>
#include <stdbool.h>

struct sb_err;

/**
 * struct sb_trust - certificates, for any number of connections; does not survive being copied
 * @store:	OpenSSL's X509_STORE, owned
 * @lock:	protects @loaded, and @store until it is
 * @loaded:	@store is complete
 */
struct sb_trust {
	void *store;
	pthread_mutex_t lock;
	bool loaded;
};

int sb_trust_init(struct sb_trust *trust, const char *ca_pem, struct sb_err *err);
void sb_trust_done(struct sb_trust *trust);
void sb_trust_use(struct sb_trust *trust, void *ssl_ctx);

#endif /* SB_IMAGES_TRUST_H */
