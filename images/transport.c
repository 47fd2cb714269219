/* SPDX-License-Identifier: Apache-2.0 */
/* transport.c - where a request ended, and why it got no answer, in words for people */
#include "images/transport.h"

#include <errno.h>
#include <string.h>

#include <openssl/x509_vfy.h>

#include "images/http.h"
#include "runtime/base/err.h"

#define HOST_SIZE 128

/* Where the host and port of a URL are. */
static const char *authority_of(const char *url, size_t *ret_len)
{
	const char *p = strstr(url, "://");
	const char *at;
	size_t len;

	p = p ? p + 3 : url;
	len = strcspn(p, "/?#\\");
	while ((at = memchr(p, '@', len)) != NULL) {
		len -= (size_t)(at + 1 - p);
		p = at + 1;
	}
	*ret_len = len;
	return p;
}

/* The host that the request was at when it failed: after a redirection not the registry's. The rest
 * of the URL is not shown: a CDN's has a signature in it.
 */
static void host_of(CURL *easy, char *buf, size_t size)
{
	char *url = NULL;
	const char *host;
	size_t len;

	(void)curl_easy_getinfo(easy, CURLINFO_EFFECTIVE_URL, &url);
	host = authority_of(url ? url : "", &len);
	(void)sb_http_shown(host, len, buf, size);
}

/**
 * sb_transport_at_home() - Whether the last answer came from where the request went first
 * @easy:	handle, right after the request
 * @url:	URL of the request
 *
 * Return: false after a redirection to another scheme, host or port
 */
bool sb_transport_at_home(CURL *easy, const char *url)
{
	long redirects = 0;
	char *last = NULL;
	size_t len, last_len;

	(void)curl_easy_getinfo(easy, CURLINFO_REDIRECT_COUNT, &redirects);
	if (redirects == 0)
		return true;
	(void)curl_easy_getinfo(easy, CURLINFO_EFFECTIVE_URL, &last);
	len = (size_t)(authority_of(url, &len) - url) + len;
	last_len = last ? (size_t)(authority_of(last, &last_len) - last) + last_len : 0;
	return last && len == last_len && !memcmp(url, last, len);
}

/* A certificate that was not accepted. */
static void refuse_certificate(CURL *easy, const char *host, bool own_ca, struct sb_err *err)
{
	long why = X509_V_OK;

	(void)curl_easy_getinfo(easy, CURLINFO_SSL_VERIFYRESULT, &why);
	if (why == X509_V_ERR_CERT_HAS_EXPIRED) {
		sb_err_refuse(err, EKEYEXPIRED, "the certificate of '%s' has expired", host);
	} else if (why == X509_V_ERR_CERT_NOT_YET_VALID) {
		sb_err_refuse(err, EKEYREJECTED, "the certificate of '%s' is not valid yet", host);
		(void)sb_err_hint(err, "is the clock of this machine right?");
	} else if (why == X509_V_OK || why == X509_V_ERR_HOSTNAME_MISMATCH ||
		   why == X509_V_ERR_IP_ADDRESS_MISMATCH) {
		/* libcurl compares the names itself, after OpenSSL was content. */
		sb_err_refuse(err, EKEYREJECTED, "the certificate of '%s' is for another name",
			      host);
	} else {
		sb_err_refuse(err, EKEYREJECTED, "the certificate of '%s' is not trusted: %s", host,
			      X509_verify_cert_error_string(why));
		(void)sb_err_hint(err, own_ca ? "the 'ca' in the configuration file is another"
					      : "name the file of its CA as registries.HOST.ca in "
						"the configuration file");
	}
}

static void refuse_handshake(CURL *easy, const char *host, const char *detail,
			     struct sb_http_answer *answer, struct sb_err *err)
{
	long os_errno = 0;
	char shown[100];

	(void)curl_easy_getinfo(easy, CURLINFO_OS_ERRNO, &os_errno);
	/* OpenSSL's words for bytes that are no TLS record: an answer in plain HTTP, mostly. Who
	 * speaks TLS sends an alert, and that has other words.
	 */
	answer->no_tls = strstr(detail, "wrong version number") || strstr(detail, "http request") ||
			 strstr(detail, "packet length too long");
	answer->transient = !answer->no_tls && os_errno == ECONNRESET;
	if (answer->no_tls) {
		sb_err_refuse(err, EPROTO, "'%s' does not speak TLS", host);
		(void)sb_err_hint(err, "to use plain HTTP, set registries.HOST.insecure in the "
				       "configuration file");
		return;
	}
	sb_err_refuse(err, EPROTO, "TLS with '%s' failed: %s", host,
		      sb_http_shown(detail, strlen(detail), shown, sizeof(shown)));
}

static void refuse_connection(CURL *easy, const char *host, struct sb_http_answer *answer,
			      struct sb_err *err)
{
	long os_errno = 0;

	(void)curl_easy_getinfo(easy, CURLINFO_OS_ERRNO, &os_errno);
	answer->transient = os_errno == ETIMEDOUT || os_errno == ECONNRESET;
	/* Nobody listens where TLS would be: it may be at the port of plain HTTP. */
	answer->no_tls = os_errno == ECONNREFUSED;
	sb_err_set(err, os_errno ? (int)os_errno : ECONNREFUSED, "connect to '%s'", host);
}

/**
 * sb_transport_failed() - Turn a failure of libcurl into an error
 * @easy:	handle, right after the request
 * @code:	what libcurl returned, not CURLE_OK
 * @detail:	what it wrote into CURLOPT_ERRORBUFFER
 * @peer:	whom it was to trust
 * @answer:	@transient and @no_tls are written
 * @err:	left alone if a callback has set it; else EHOSTUNREACH (the name does not resolve),
 *		ETIMEDOUT, ECONNRESET, ECONNREFUSED and other errno values of connect(2),
 *		EKEYREJECTED and EKEYEXPIRED (certificate), ECANCELED or EPROTO (any other)
 */
void sb_transport_failed(CURL *easy, CURLcode code, const char *detail,
			 const struct sb_http_peer *peer, struct sb_http_answer *answer,
			 struct sb_err *err)
{
	double connected = 0;
	char host[HOST_SIZE], shown[100];

	host_of(easy, host, sizeof(host));
	if (err->code)
		return;
	if (code == CURLE_COULDNT_RESOLVE_HOST || code == CURLE_COULDNT_RESOLVE_PROXY) {
		sb_err_refuse(err, EHOSTUNREACH, "the name of '%s' does not resolve", host);
		(void)sb_err_hint(err, "is it right, and does name resolution work here?");
	} else if (code == CURLE_COULDNT_CONNECT) {
		refuse_connection(easy, host, answer, err);
	} else if (code == CURLE_OPERATION_TIMEDOUT) {
		(void)curl_easy_getinfo(easy, CURLINFO_PRETRANSFER_TIME, &connected);
		answer->transient = true;
		sb_err_refuse(err, ETIMEDOUT, "'%s' %s", host,
			      connected > 0 ? "has stopped sending" : "can't be reached in time");
	} else if (code == CURLE_PEER_FAILED_VERIFICATION) {
		refuse_certificate(easy, host, peer->own_ca, err);
	} else if (code == CURLE_SSL_CONNECT_ERROR) {
		refuse_handshake(easy, host, detail, answer, err);
	} else if (code == CURLE_RECV_ERROR || code == CURLE_SEND_ERROR ||
		   code == CURLE_GOT_NOTHING || code == CURLE_PARTIAL_FILE) {
		answer->transient = true;
		sb_err_refuse(err, ECONNRESET, "the connection to '%s' broke off", host);
	} else if (code == CURLE_TOO_MANY_REDIRECTS) {
		sb_err_refuse(err, EPROTO, "too many redirections, the last at '%s'", host);
	} else if (code == CURLE_UNSUPPORTED_PROTOCOL) {
		sb_err_refuse(err, EPROTO, "a redirection leads to '%s' without TLS", host);
	} else if (code == CURLE_ABORTED_BY_CALLBACK) {
		sb_err_refuse(err, ECANCELED, "cancelled");
	} else if (code == CURLE_OUT_OF_MEMORY) {
		sb_err_set(err, ENOMEM, "talk to '%s'", host);
	} else {
		if (!detail[0])
			detail = curl_easy_strerror(code);
		sb_err_refuse(err, EPROTO, "HTTP with '%s' failed: %s", host,
			      sb_http_shown(detail, strlen(detail), shown, sizeof(shown)));
	}
}
