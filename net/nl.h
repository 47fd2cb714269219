/* SPDX-License-Identifier: Apache-2.0 */
/*
 * nl.h - netlink requests, several in one send, each with a name for its error message
 *
 * libnl builds the messages. Its sockets are not used: they fold errno into NLE_* codes and drop
 * the kernel's extended acknowledgement, and both belong into our messages.
 */
#ifndef SB_NET_NL_H
#define SB_NET_NL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <linux/netlink.h>

struct nl_msg;
struct nlattr;
struct sb_err;

#define SB_NL_BATCH_MAX 12  /* requests in one send */
#define SB_NL_WHAT_MAX  100 /* bytes of a request's name with its NUL */

/**
 * struct sb_nl - connection to the network namespace it was opened in
 * @fd:		netlink socket, owned; -1 while closed
 * @seq:	number of the last request
 */
struct sb_nl {
	int fd;
	uint32_t seq;
};

#define SB_NL_INIT        \
	{                 \
		.fd = -1, \
	}

/**
 * struct sb_nl_item - one request of a batch
 * @msg:	message, owned by the batch
 * @tolerated:	errno that counts as success, 0 for none
 * @answered:	the kernel has acknowledged or refused it
 * @what:	what it does, for the error message: "add route 'fd00::1'"
 */
struct sb_nl_item {
	struct nl_msg *msg;
	int tolerated;
	bool answered;
	char what[SB_NL_WHAT_MAX];
};

/**
 * struct sb_nl_batch - requests that go to the kernel in one send
 * @item:	the requests, in order; the kernel carries out all of them, also after a failure
 * @n:		how many
 * @broken:	no memory or room for one of them; sending fails with ENOMEM
 * @failed:	after sb_nl_run() failed: index of the first request refused, or -1
 */
struct sb_nl_batch {
	struct sb_nl_item item[SB_NL_BATCH_MAX];
	size_t n;
	bool broken;
	int failed;
};

#define SB_NL_BATCH_INIT      \
	{                     \
		.failed = -1, \
	}

/**
 * struct sb_nl_reader - who takes the messages that are neither acknowledgement nor end of dump
 * @fn:		gets one message; returns 0 or a negative errno value with its error set
 * @arg:	handed to @fn
 */
struct sb_nl_reader {
	int (*fn)(struct nlmsghdr *h, void *arg, struct sb_err *err);
	void *arg;
};

int sb_nl_open(struct sb_nl *nl, int protocol, struct sb_err *err);
void sb_nl_close(struct sb_nl *nl);

void sb_nl_batch_done(struct sb_nl_batch *b);
void sb_nl_add(struct sb_nl_batch *b, int type, int flags, const void *header, size_t len);
void sb_nl_what(struct sb_nl_batch *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void sb_nl_tolerate(struct sb_nl_batch *b, int errnum);
void sb_nl_put(struct sb_nl_batch *b, int type, const void *data, size_t len);
void sb_nl_put_u32(struct sb_nl_batch *b, int type, uint32_t value);
void sb_nl_put_str(struct sb_nl_batch *b, int type, const char *value);
void sb_nl_put_raw(struct sb_nl_batch *b, const void *data, size_t len);
struct nlattr *sb_nl_nest(struct sb_nl_batch *b, int type);
void sb_nl_nest_end(struct sb_nl_batch *b, struct nlattr *nest);

int sb_nl_run(struct sb_nl *nl, struct sb_nl_batch *b, const struct sb_nl_reader *reader,
	      struct sb_err *err);
int sb_nl_dump(struct sb_nl *nl, struct sb_nl_batch *b, const struct sb_nl_reader *reader,
	       struct sb_err *err);

#define _cleanup_nl_       __attribute__((cleanup(sb_nl_close)))
#define _cleanup_nl_batch_ __attribute__((cleanup(sb_nl_batch_done)))

#endif /* SB_NET_NL_H */
