/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sock_diag.c - what listens in a network namespace
 *
 * By NETLINK_SOCK_DIAG (sock_diag(7)): 10 us for ten listeners, where reading /proc/<pid>/net/tcp6
 * takes 2,200, and more with each established connection. The socket is opened inside the namespace
 * and belongs to it for good, so the asking needs no further visit, privilege or living process.
 */
#include "net/net.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>

#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netlink/attr.h>
#include <netlink/msg.h>

#include "net/netns.h"
#include "net/nl.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/err.h"
#include "runtime/base/sys.h"

#define LISTENERS_MAX 65536 /* what a namespace may fill our memory with: 3 MB */

/**
 * sb_sock_diag_open() - Open the socket that lists a namespace's sockets
 * @netns_fd:	the namespace; borrowed. -1 for the caller's own
 *
 * The caller must be single-threaded; needs CAP_SYS_ADMIN over the namespace.
 *
 * Return: a descriptor, close-on-exec, that keeps the namespace alive; or a negative errno value
 */
int sb_sock_diag_open(int netns_fd, struct sb_err *err)
{
	struct sb_err home_err = SB_ERR_INIT;
	_cleanup_nl_ struct sb_nl nl = SB_NL_INIT;
	int home_fd = -1;
	int ret;

	if (netns_fd >= 0 && sb_netns_enter(netns_fd, &home_fd, err) < 0)
		return -err->code;
	ret = sb_nl_open(&nl, NETLINK_SOCK_DIAG, err);
	if (netns_fd >= 0 && sb_netns_leave(&home_fd, &home_err) < 0) {
		*err = home_err;
		return -err->code;
	}
	return ret < 0 ? ret : sb_steal_fd(&nl.fd);
}

/* What a dump has collected, and of which protocol the sockets are. */
struct found {
	struct sb_listener *list;
	size_t n;
	size_t room;
	enum sb_proto proto;
};

static int make_room(struct found *f, struct sb_err *err)
{
	size_t room = f->room ? f->room * 2 : 16;
	struct sb_listener *p;

	if (f->n < f->room)
		return 0;
	if (f->n >= LISTENERS_MAX)
		return sb_err_set(err, EOVERFLOW, "more than %d listening sockets", LISTENERS_MAX);
	p = reallocarray(f->list, room, sizeof(*p));
	if (!p)
		return sb_err_set(err, ENOMEM, "list listening sockets");
	f->list = p;
	f->room = room;
	return 0;
}

/* Address of a socket; IPv4 in the mapped form (RFC 4291 section 2.5.5.2). */
static struct in6_addr address_of(const struct inet_diag_msg *m)
{
	struct in6_addr addr = { .s6_addr = { [10] = 0xff, [11] = 0xff } };

	if (m->idiag_family == AF_INET)
		memcpy(addr.s6_addr + 12, m->id.idiag_src, 4);
	else
		memcpy(&addr, m->id.idiag_src, sizeof(addr));
	return addr;
}

/* Reader of a dump: @arg is the struct found to append to. */
static int read_socket(struct nlmsghdr *h, void *arg, struct sb_err *err)
{
	const struct inet_diag_msg *m = nlmsg_data(h);
	struct found *f = arg;
	bool tcp = f->proto == SB_PROTO_TCP;
	struct nlattr *v6only;

	if (h->nlmsg_type != SOCK_DIAG_BY_FAMILY || h->nlmsg_len < (size_t)nlmsg_size(sizeof(*m)))
		return 0;
	/* The kernel filters by state already; a socket without a port waits for nobody. */
	if (m->id.idiag_sport == 0)
		return 0;
	if (make_room(f, err) < 0)
		return -err->code;
	v6only = nlmsg_find_attr(h, sizeof(*m), INET_DIAG_SKV6ONLY);
	f->list[f->n++] = (struct sb_listener){
		.proto = f->proto,
		.family = m->idiag_family,
		.addr = address_of(m),
		.port = ntohs(m->id.idiag_sport),
		.v6only = v6only && nla_get_u8(v6only),
		.ifindex = m->id.idiag_if,
		.backlog = tcp ? m->idiag_wqueue : 0, /* of a listener: sk_max_ack_backlog */
		.pending = m->idiag_rqueue,
		.inode = m->idiag_inode,
		.uid = m->idiag_uid,
	};
	return 0;
}

static int dump(struct sb_nl *nl, int family, struct found *f, struct sb_err *err)
{
	_cleanup_nl_batch_ struct sb_nl_batch b = SB_NL_BATCH_INIT;
	const struct sb_nl_reader reader = { .fn = read_socket, .arg = f };
	bool tcp = f->proto == SB_PROTO_TCP;
	/* An unconnected UDP socket is in state CLOSE, a connected one in ESTABLISHED. */
	struct inet_diag_req_v2 req = { .sdiag_family = (uint8_t)family,
					.sdiag_protocol = tcp ? IPPROTO_TCP : IPPROTO_UDP,
					.idiag_states = 1U << (tcp ? TCP_LISTEN : TCP_CLOSE) };

	sb_nl_add(&b, SOCK_DIAG_BY_FAMILY, NLM_F_DUMP, &req, sizeof(req));
	sb_nl_what(&b, "list %s sockets", sb_proto_name(f->proto));
	if (sb_nl_dump(nl, &b, &reader, err) == 0)
		return 0;
	if (err->code == ENOENT)
		return sb_err_hint(err, "the kernel needs the modules tcp_diag and udp_diag");
	return -err->code;
}

static int compare(const void *pa, const void *pb)
{
	const struct sb_listener *a = pa, *b = pb;
	int by_addr = memcmp(&a->addr, &b->addr, sizeof(a->addr));

	if (a->port != b->port)
		return a->port < b->port ? -1 : 1;
	if (a->proto != b->proto)
		return a->proto < b->proto ? -1 : 1;
	if (by_addr != 0)
		return by_addr;
	return a->inode < b->inode ? -1 : a->inode > b->inode;
}

/**
 * sb_listeners() - List TCP listeners and unconnected UDP sockets, of both families
 * @diag_fd:	from sb_sock_diag_open(); used by one caller at a time; borrowed
 * @ret:	sockets, by port, protocol and address; the caller frees them. NULL if there are
 * none
 * @ret_n:	how many
 *
 * Return: 0, or a negative errno value (-EOVERFLOW: more than a program could mean)
 */
int sb_listeners(int diag_fd, struct sb_listener **ret, size_t *ret_n, struct sb_err *err)
{
	static const int families[] = { AF_INET6, AF_INET };
	static const enum sb_proto protos[] = { SB_PROTO_TCP, SB_PROTO_UDP };
	/* Numbers that no earlier answer on this socket can have. */
	struct sb_nl nl = { .fd = diag_fd, .seq = (uint32_t)sb_now_us() };
	_cleanup_free_ struct sb_listener *list = NULL;
	struct found f = { 0 };
	int r = 0;

	for (size_t i = 0; i < SB_ARRAY_SIZE(families) * SB_ARRAY_SIZE(protos) && r == 0; i++) {
		f.proto = protos[i / SB_ARRAY_SIZE(families)];
		r = dump(&nl, families[i % SB_ARRAY_SIZE(families)], &f, err);
	}
	list = f.list;
	if (r < 0)
		return r;
	if (f.n > 0)
		qsort(list, f.n, sizeof(*list), compare);
	*ret = sb_steal_ptr(&list);
	*ret_n = f.n;
	return 0;
}
