/* SPDX-License-Identifier: Apache-2.0 */
/*
 * trust.c - certificates that those of servers are verified with
 *
 * libcurl would read the system's bundle for each connection, which takes tens of ms. Here it is
 * read once, and only when the first certificate has to be verified: not for a registry that speaks
 * no TLS.
 */
#include "images/trust.h"

#include <errno.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>

#include "runtime/base/err.h"

/* Certificates of a PEM text into @store; returns how many. */
static int add_certificates(X509_STORE *store, const char *pem)
{
	BIO *bio = BIO_new_mem_buf(pem, -1);
	X509 *cert;
	int n = 0;

	if (!bio)
		return 0;
	while ((cert = PEM_read_bio_X509_AUX(bio, NULL, NULL, NULL)) != NULL) {
		n += X509_STORE_add_cert(store, cert);
		X509_free(cert);
	}
	BIO_free(bio);
	ERR_clear_error(); /* the end of the text counts as one */
	return n;
}

/**
 * sb_trust_init() - Prepare what certificates are verified with
 * @trust:	caller's memory; sb_trust_done() releases what it holds
 * @ca_pem:	certificates to trust; NULL: those that the system's OpenSSL trusts, looked up when
 *		they are needed (also SSL_CERT_FILE and SSL_CERT_DIR)
 *
 * Return: 0, or a negative errno value (-EINVAL: no certificate in @ca_pem)
 */
int sb_trust_init(struct sb_trust *trust, const char *ca_pem, struct sb_err *err)
{
	*trust = (struct sb_trust){ .store = X509_STORE_new(),
				    .lock = PTHREAD_MUTEX_INITIALIZER,
				    .loaded = ca_pem != NULL };
	if (!trust->store)
		return sb_err_set(err, ENOMEM, "prepare for TLS");
	if (!ca_pem || add_certificates(trust->store, ca_pem) > 0)
		return 0;
	sb_trust_done(trust);
	return sb_err_refuse(err, EINVAL, "its 'ca' has no certificate that can be read");
}

/**
 * sb_trust_done() - Release certificates
 * @trust:	initialised, or all zero
 */
void sb_trust_done(struct sb_trust *trust)
{
	X509_STORE_free(trust->store);
	trust->store = NULL;
}

/* OpenSSL has a certificate to verify. */
static int verify(X509_STORE_CTX *ctx, void *arg)
{
	struct sb_trust *trust = arg;

	(void)pthread_mutex_lock(&trust->lock);
	if (!trust->loaded)
		(void)X509_STORE_set_default_paths(trust->store);
	trust->loaded = true;
	(void)pthread_mutex_unlock(&trust->lock);
	return X509_verify_cert(ctx);
}

/**
 * sb_trust_use() - Let a connection be verified with certificates
 * @trust:	must outlive the connection
 * @ssl_ctx:	OpenSSL's SSL_CTX of the connection, before its handshake
 */
void sb_trust_use(struct sb_trust *trust, void *ssl_ctx)
{
	SSL_CTX_set1_cert_store(ssl_ctx, trust->store);
	SSL_CTX_set_cert_verify_callback(ssl_ctx, verify, trust);
}
