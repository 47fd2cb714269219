/* SPDX-License-Identifier: Apache-2.0 */
/*
 * blob.c - a blob of a registry into a file, from where it broke off last time
 *
 * OCI distribution-spec "Pulling blobs", RFC 9110 section 14. A server may ignore a range and send
 * all: writing begins anew then, over bytes that are the same if the blob is the one of the digest.
 * Whoever reads the growing file and verifies it notices if it is not.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "images/exchange.h"
#include "images/retry.h"
#include "runtime/base/err.h"

/* A blob on its way. */
struct download {
	const struct sb_registry_blob *blob;
	const char *host;
	struct sb_retry *retry;
	bool no_ranges;  /* the server has refused one, or sent another */
	bool begun;      /* the first piece of this answer has come */
	uint64_t from;   /* first byte that this request has asked for */
	uint64_t offset; /* where the next piece goes */
	uint64_t have;   /* bytes from the beginning of the file that have been written */
};

/* "bytes 5-9/10" (RFC 9110 section 14.4): the part must begin where we have asked for, and be one
 * of this blob.
 */
static bool range_fits(const struct download *d, const char *range)
{
	const char *slash = strchr(range, '/');
	char begin[40], size[24];

	snprintf(begin, sizeof(begin), "bytes %llu-", (unsigned long long)d->from);
	snprintf(size, sizeof(size), "%llu", (unsigned long long)d->blob->size);
	return slash && !strncasecmp(range, begin, strlen(begin)) &&
	       (!strcmp(slash + 1, size) || !strcmp(slash + 1, "*"));
}

/* The first piece of an answer: what is it a part of? */
static int begin(struct download *d, const struct sb_http_answer *answer, struct sb_err *err)
{
	uint64_t size = d->blob->size;

	d->begun = true;
	d->offset = answer->status == 206 ? d->from : 0;
	if (answer->status == 206 && !range_fits(d, answer->content_range)) {
		d->no_ranges = true;
		return sb_err_refuse(err, EPROTO,
				     "'%s' sent another part of the blob than asked "
				     "for",
				     d->host);
	}
	if (answer->status == 200 && answer->length >= 0 && (uint64_t)answer->length != size)
		return sb_err_refuse(err, EBADMSG, "'%s' has %lld bytes for the blob of %llu bytes",
				     d->host, (long long)answer->length, (unsigned long long)size);
	return 0;
}

/* For struct sb_http_request. */
static int take_piece(void *ctx, const struct sb_http_answer *answer, const void *data, size_t len,
		      struct sb_err *err)
{
	struct download *d = ctx;
	const struct sb_registry_blob *blob = d->blob;
	const char *p = data;

	if (!d->begun && begin(d, answer, err) < 0)
		return -err->code;
	if (len > blob->size - d->offset)
		return sb_err_refuse(err, EBADMSG, "'%s' sent more than the %llu bytes of the blob",
				     d->host, (unsigned long long)blob->size);
	while (len > 0) {
		ssize_t n = pwrite(blob->fd, p, len, (off_t)d->offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return sb_err_set(err, errno, "write the blob '%s'", blob->digest);
		p += n;
		len -= (size_t)n;
		d->offset += (uint64_t)n;
	}
	if (d->offset <= d->have)
		return 0;
	d->have = d->offset;
	d->retry->tries = 0;
	if (blob->progress)
		blob->progress(blob->ctx, d->have);
	return 0;
}

/* One request for what is missing. Return: 0 if nothing is any more, else -errno */
static int ask_once(struct sb_registry *reg, struct sb_exchange_host *host, struct download *d,
		    struct sb_http_answer *answer, struct sb_err *err)
{
	char what[SB_DIGEST_SIZE + 16], path[SB_DIGEST_SIZE + 16];
	struct sb_exchange q = { .what = what,
				 .path = path,
				 .request = { .write = take_piece, .ctx = d } };
	int r;

	snprintf(what, sizeof(what), "blob '%s'", d->blob->digest);
	snprintf(path, sizeof(path), "blobs/%s", d->blob->digest);
	d->begun = false;
	d->from = d->no_ranges ? 0 : d->have;
	q.request.from = d->from;
	r = sb_exchange_once(reg, host, &q, answer, err);
	/* It cannot do ranges, or does them wrong: once more, from the start. */
	if (r < 0 && d->from > 0 && (answer->status == 416 || d->no_ranges)) {
		d->no_ranges = true;
		answer->transient = true;
		return r;
	}
	if (r < 0 || d->have == d->blob->size)
		return r;
	answer->transient = true; /* the connection was closed too early, in good order */
	return sb_err_refuse(err, ECONNRESET, "'%s' sent only %llu of the %llu bytes of the blob",
			     d->host, (unsigned long long)d->have,
			     (unsigned long long)d->blob->size);
}

/* For sb_exchange_each(). */
static int ask_for_blob(struct sb_registry *reg, struct sb_exchange_host *host, void *arg,
			struct sb_err *err)
{
	struct sb_http_answer answer = SB_HTTP_ANSWER_INIT;
	struct sb_retry retry = sb_exchange_tries(reg, host);
	struct download *d = arg;
	int r, again;

	d->retry = &retry;
	d->host = host->host.host;
	d->no_ranges = false;
	do {
		r = ask_once(reg, host, d, &answer, err);
		again = r < 0 ? sb_retry_wait(&retry, &answer, err) : 0;
	} while (again > 0);
	if (r < 0 && answer.status == 0)
		atomic_store(&host->dead, true);
	sb_http_answer_done(&answer);
	return again < 0 ? again : r;
}

/**
 * sb_registry_get_blob() - Get a blob into a file
 * @reg:	registry
 * @blob:	what, and where to
 *
 * After a failure the file holds what has come, to be resumed from what @progress said last. The
 * bytes are not verified here, only their number is.
 *
 * Return: 0, or a negative errno value as sb_registry_get_manifest() (-EBADMSG: the blob has
 * another size; also those of pwrite(2), such as -ENOSPC)
 */
int sb_registry_get_blob(struct sb_registry *reg, const struct sb_registry_blob *blob,
			 struct sb_err *err)
{
	struct download d = { .blob = blob, .have = blob->have };

	if (!sb_digest_is_valid(blob->digest) || blob->have > blob->size)
		return sb_err_refuse(err, EINVAL, "a blob needs a digest and a size");
	if (blob->have == blob->size)
		return 0;
	return sb_exchange_each(reg, ask_for_blob, &d, err);
}
