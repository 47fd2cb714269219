/* SPDX-License-Identifier: Apache-2.0 */
/* nl.c - netlink requests, several in one send, each with a name for its error message */
#include "net/nl.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <netlink/attr.h>
#include <netlink/msg.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/err.h"

/*
 * Largest message we take. The kernel fits the parts of a dump to the reader's buffer, and a link
 * with all its attributes has about 2 kB.
 */
#define RECV_SIZE 16384
#define MSG_SIZE  1024 /* ours: the creation of a veth pair has about 250 bytes */
#define TEXT_MAX  128  /* bytes of an extended acknowledgement that we keep */

/**
 * sb_nl_open() - Connect to the network namespace that the caller is in
 * @nl:		closed connection; the caller closes it with sb_nl_close()
 * @protocol:	NETLINK_ROUTE, NETLINK_NETFILTER or NETLINK_SOCK_DIAG
 *
 * The connection stays with that namespace, wherever the caller goes later.
 *
 * Return: 0, or a negative errno value
 */
int sb_nl_open(struct sb_nl *nl, int protocol, struct sb_err *err)
{
	_cleanup_fd_ int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol);
	int one = 1;

	if (fd < 0)
		return sb_err_set(err, errno, "open netlink socket");
	/* Words instead of bare numbers (Linux 4.12), without our request in each answer (4.3). */
	(void)setsockopt(fd, SOL_NETLINK, NETLINK_EXT_ACK, &one, sizeof(one));
	(void)setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, &one, sizeof(one));
	nl->fd = sb_steal_fd(&fd);
	nl->seq = 0;
	return 0;
}

/**
 * sb_nl_close() - Close a connection
 * @nl:		connection; may be closed already
 */
void sb_nl_close(struct sb_nl *nl)
{
	sb_close_fd(&nl->fd);
}

/**
 * sb_nl_batch_done() - Free the requests of a batch; it is empty afterwards
 * @b:		batch
 */
void sb_nl_batch_done(struct sb_nl_batch *b)
{
	for (size_t i = 0; i < b->n; i++)
		nlmsg_free(b->item[i].msg);
	b->n = 0;
	b->broken = false;
	b->failed = -1;
}

/**
 * sb_nl_add() - Begin another request; the sb_nl_put functions add to the last one
 * @b:		batch; a failure is kept in it and reported when it is sent
 * @type:	message type
 * @flags:	NLM_F_*; NLM_F_REQUEST is added
 * @header:	the family's own header; copied
 * @len:	its length in bytes
 */
void sb_nl_add(struct sb_nl_batch *b, int type, int flags, const void *header, size_t len)
{
	struct nl_msg *msg = b->n < SB_NL_BATCH_MAX ? nlmsg_alloc_size(MSG_SIZE) : NULL;

	if (!msg || !nlmsg_put(msg, 0, 0, type, 0, flags | NLM_F_REQUEST)) {
		nlmsg_free(msg);
		b->broken = true;
		return;
	}
	b->item[b->n++] = (struct sb_nl_item){ .msg = msg, .what = "netlink request" };
	sb_nl_put_raw(b, header, len);
}

/* The request that is being built, or NULL if the batch cannot be sent anyway. */
static struct sb_nl_item *last(struct sb_nl_batch *b)
{
	return b->broken || b->n == 0 ? NULL : &b->item[b->n - 1];
}

/**
 * sb_nl_what() - Name the last request for its error message
 * @b:		batch
 * @fmt:	printf format: "add route '%s'"
 */
void sb_nl_what(struct sb_nl_batch *b, const char *fmt, ...)
{
	struct sb_nl_item *item = last(b);
	va_list ap;

	if (!item)
		return;
	va_start(ap, fmt);
	vsnprintf(item->what, sizeof(item->what), fmt, ap);
	va_end(ap);
}

/**
 * sb_nl_tolerate() - Take one refusal of the last request as success
 * @b:		batch
 * @errnum:	errno value: EEXIST of a thing that may be there, ENOENT of one that may be gone
 */
void sb_nl_tolerate(struct sb_nl_batch *b, int errnum)
{
	struct sb_nl_item *item = last(b);

	if (item)
		item->tolerated = errnum;
}

/**
 * sb_nl_put() - Add an attribute to the last request
 * @b:		batch
 * @type:	attribute type
 * @data:	value; copied
 * @len:	its length in bytes
 */
void sb_nl_put(struct sb_nl_batch *b, int type, const void *data, size_t len)
{
	struct sb_nl_item *item = last(b);

	if (item && nla_put(item->msg, type, (int)len, data) < 0)
		b->broken = true;
}

/**
 * sb_nl_put_u32() - Add a number as attribute, in the byte order of this machine
 * @b:		batch
 * @type:	attribute type
 * @value:	number
 */
void sb_nl_put_u32(struct sb_nl_batch *b, int type, uint32_t value)
{
	sb_nl_put(b, type, &value, sizeof(value));
}

/**
 * sb_nl_put_str() - Add a string with its NUL as attribute
 * @b:		batch
 * @type:	attribute type
 * @value:	string
 */
void sb_nl_put_str(struct sb_nl_batch *b, int type, const char *value)
{
	sb_nl_put(b, type, value, strlen(value) + 1);
}

/**
 * sb_nl_put_raw() - Add bytes that are no attribute: a header inside a message or a nest
 * @b:		batch
 * @data:	bytes; copied, padded to the netlink alignment
 * @len:	how many
 */
void sb_nl_put_raw(struct sb_nl_batch *b, const void *data, size_t len)
{
	struct sb_nl_item *item = last(b);

	/* nlmsg_append() does not change what it copies; its prototype only fails to say so. */
	if (item && nlmsg_append(item->msg, (void *)(uintptr_t)data, len, NLMSG_ALIGNTO) < 0)
		b->broken = true;
}

/**
 * sb_nl_nest() - Begin an attribute that holds attributes
 * @b:		batch
 * @type:	its type
 *
 * Return: what sb_nl_nest_end() wants; valid until the request is sent
 */
struct nlattr *sb_nl_nest(struct sb_nl_batch *b, int type)
{
	struct sb_nl_item *item = last(b);
	struct nlattr *nest = item ? nla_nest_start(item->msg, type) : NULL;

	if (!nest)
		b->broken = true;
	return nest;
}

/**
 * sb_nl_nest_end() - End an attribute that holds attributes
 * @b:		batch
 * @nest:	result of sb_nl_nest(), may be NULL
 */
void sb_nl_nest_end(struct sb_nl_batch *b, struct nlattr *nest)
{
	struct sb_nl_item *item = last(b);

	if (item && nest)
		(void)nla_nest_end(item->msg, nest);
}

/* Send all requests at once, numbered from nl->seq + 1 on. */
static int send_all(struct sb_nl *nl, struct sb_nl_batch *b, struct sb_err *err)
{
	struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	struct iovec iov[SB_NL_BATCH_MAX];
	struct msghdr msg = { .msg_name = &kernel,
			      .msg_namelen = sizeof(kernel),
			      .msg_iov = iov,
			      .msg_iovlen = b->n };

	b->failed = -1;
	if (b->broken || b->n == 0)
		return sb_err_set(err, ENOMEM, "build netlink request");
	for (size_t i = 0; i < b->n; i++) {
		struct nlmsghdr *h = nlmsg_hdr(b->item[i].msg);

		b->item[i].answered = false;
		h->nlmsg_seq = ++nl->seq;
		iov[i] = (struct iovec){ .iov_base = h, .iov_len = h->nlmsg_len };
	}
	if (sendmsg(nl->fd, &msg, 0) < 0)
		return sb_err_set(err, errno, "send netlink request to %s", b->item[0].what);
	return 0;
}

/*
 * Take the next answer. It is there: the kernel works on requests inside sendmsg(2), and makes the
 * next part of a dump inside recvmsg(2) of the part before. So an empty queue is an error, not a
 * reason to wait, and nothing here can hang.
 */
static ssize_t receive(struct sb_nl *nl, char *buf, const struct sb_nl_batch *b, struct sb_err *err)
{
	struct sockaddr_nl from = { 0 };
	struct iovec iov = { .iov_base = buf, .iov_len = RECV_SIZE };
	struct msghdr msg = {
		.msg_name = &from, .msg_namelen = sizeof(from), .msg_iov = &iov, .msg_iovlen = 1
	};
	ssize_t n;

	do {
		n = recvmsg(nl->fd, &msg, MSG_DONTWAIT);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return sb_err_set(err, errno, "no answer from the kernel to %s", b->item[0].what);
	if (msg.msg_flags & MSG_TRUNC)
		return sb_err_set(err, EMSGSIZE, "answer of the kernel to %s", b->item[0].what);
	/* Others may send to our port as well; only the kernel is number 0 (netlink(7)). */
	return from.nl_pid == 0 ? n : 0;
}

/*
 * Text of an extended acknowledgement, empty if none. Its attributes follow the struct nlmsgerr and
 * the refused request, of which a capped answer has the header only (netlink(7), NETLINK_EXT_ACK).
 */
static void get_text(struct nlmsghdr *h, char text[TEXT_MAX])
{
	struct nlmsgerr *e = nlmsg_data(h);
	size_t skip = sizeof(*e);
	struct nlattr *attr;

	text[0] = '\0';
	if (!(h->nlmsg_flags & NLM_F_ACK_TLVS))
		return;
	if (!(h->nlmsg_flags & NLM_F_CAPPED))
		skip += e->msg.nlmsg_len - NLMSG_HDRLEN;
	attr = nlmsg_find_attr(h, (int)skip, NLMSGERR_ATTR_MSG);
	if (attr)
		snprintf(text, TEXT_MAX, "%.*s", nla_len(attr), (const char *)nla_data(attr));
}

/* Take note of the answer @h, an acknowledgement (error 0) or a refusal. */
static int take_answer(struct sb_nl_batch *b, size_t i, struct nlmsghdr *h, struct sb_err *err)
{
	const struct nlmsgerr *e = nlmsg_data(h);
	struct sb_nl_item *item = &b->item[i];
	char text[TEXT_MAX];

	if (h->nlmsg_len < (size_t)nlmsg_size(sizeof(*e)))
		return sb_err_set(err, EIO, "%s: answer of the kernel is cut", item->what);
	item->answered = true;
	if (e->error == 0 || -e->error == item->tolerated)
		return 0;
	b->failed = (int)i;
	get_text(h, text);
	if (text[0])
		return sb_err_set(err, -e->error, "%s: kernel says '%s'", item->what, text);
	return sb_err_set(err, -e->error, "%s", item->what);
}

/* Whether an answer to any request is still to come. */
static bool is_pending(const struct sb_nl_batch *b)
{
	for (size_t i = 0; i < b->n; i++)
		if (!b->item[i].answered && (nlmsg_hdr(b->item[i].msg)->nlmsg_flags & NLM_F_ACK))
			return true;
	return false;
}

/**
 * sb_nl_run() - Send all requests of a batch at once and collect the answers
 * @nl:		connection
 * @b:		batch; each request whose outcome matters has NLM_F_ACK
 * @reader:	takes what requests like RTM_GETLINK return; may be NULL
 *
 * The kernel also carries out the requests after one that it refuses, except inside an nfnetlink
 * batch, which is one transaction. The error is that of the first refusal, @b->failed its index.
 *
 * Return: 0, or a negative errno value: the kernel's
 */
int sb_nl_run(struct sb_nl *nl, struct sb_nl_batch *b, const struct sb_nl_reader *reader,
	      struct sb_err *err)
{
	char buf[RECV_SIZE] __attribute__((aligned(NLMSG_ALIGNTO)));
	uint32_t first = nl->seq + 1;
	int ret = send_all(nl, b, err);

	if (ret < 0)
		return ret;
	while (is_pending(b)) {
		struct sb_err late = SB_ERR_INIT;
		struct sb_err *e = ret == 0 ? err : &late; /* the first failure counts */
		ssize_t n = receive(nl, buf, b, e);
		int left = (int)n;

		if (n < 0)
			return -(ret == 0 ? e : err)->code;
		for (struct nlmsghdr *h = (struct nlmsghdr *)buf; nlmsg_ok(h, left);
		     h = nlmsg_next(h, &left)) {
			size_t i = h->nlmsg_seq - first;
			int r = 0;

			if (i >= b->n) /* a rest of an earlier, failed exchange */
				continue;
			if (h->nlmsg_type == NLMSG_ERROR)
				r = take_answer(b, i, h, e);
			else if (reader)
				r = reader->fn(h, reader->arg, e);
			if (r < 0 && ret == 0) {
				ret = r;
				e = &late;
			}
			/* An nfnetlink batch as a whole is refused at its begin: nothing else
			 * comes. */
			if (r < 0 && !(nlmsg_hdr(b->item[i].msg)->nlmsg_flags & NLM_F_ACK))
				return ret;
		}
	}
	return ret;
}

/**
 * sb_nl_dump() - Send one dump request and read all that it returns
 * @nl:		connection
 * @b:		batch of exactly one request, with NLM_F_DUMP
 * @reader:	gets every message; after its first failure the rest is read and dropped, so that
 *		the connection stays usable
 *
 * Return: 0, or a negative errno value (-EINTR: the objects changed meanwhile: ask again)
 */
int sb_nl_dump(struct sb_nl *nl, struct sb_nl_batch *b, const struct sb_nl_reader *reader,
	       struct sb_err *err)
{
	char buf[RECV_SIZE] __attribute__((aligned(NLMSG_ALIGNTO)));
	bool changed = false;
	int ret = send_all(nl, b, err);

	if (ret < 0)
		return ret;
	for (;;) {
		struct sb_err late = SB_ERR_INIT;
		ssize_t n = receive(nl, buf, b, ret == 0 ? err : &late);
		int left = (int)n;

		if (n < 0)
			return ret < 0 ? ret : (int)n;
		for (struct nlmsghdr *h = (struct nlmsghdr *)buf; nlmsg_ok(h, left);
		     h = nlmsg_next(h, &left)) {
			if (h->nlmsg_seq != nl->seq)
				continue;
			changed |= (h->nlmsg_flags & NLM_F_DUMP_INTR) != 0;
			if (h->nlmsg_type == NLMSG_ERROR)
				return ret < 0 ? ret : take_answer(b, 0, h, err);
			if (h->nlmsg_type == NLMSG_DONE && ret == 0 && changed)
				return sb_err_set(err, EINTR, "%s", b->item[0].what);
			if (h->nlmsg_type == NLMSG_DONE)
				return ret;
			if (ret == 0)
				ret = reader->fn(h, reader->arg, err);
		}
	}
}
