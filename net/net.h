/* SPDX-License-Identifier: Apache-2.0 */
/*
 * net.h - IPv6-only attachments of network namespaces, and what listens inside them
 *
 * The only header of net/ that the layers above include. A namespace is known by its descriptor
 * only, an attachment by a host prefix and a 64-bit id; how it all works is told in net.c.
 */
#ifndef SB_NET_NET_H
#define SB_NET_NET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <netinet/in.h>

struct sb_err;

#define SB_NET_IF_LEN     16  /* IFNAMSIZ of linux/if.h: 15 characters and a NUL */
#define SB_NET_ADVICE_LEN 160 /* room for every text of sb_reach_advice() */

/**
 * struct sb_net_plan - everything about one attachment, computed from prefix and id alone
 * @host_if:	name of the host end: "sb" and the id in 13 base-36 digits
 * @addr:	address inside: prefix, 0001, id (bits 48..63 number the network)
 * @gateway:	the host's own address, prefix::1, on its loopback interface
 */
struct sb_net_plan {
	char host_if[SB_NET_IF_LEN];
	struct in6_addr addr;
	struct in6_addr gateway;
};

int sb_net_prefix(int state_dirfd, struct in6_addr *ret, struct sb_err *err);
void sb_net_plan(const struct in6_addr *prefix, uint64_t id, struct sb_net_plan *ret);
bool sb_net_id_is_usable(uint64_t id);

int sb_net_host_up(const struct in6_addr *prefix, struct sb_err *err);
void sb_net_host_down(const struct in6_addr *prefix);

/**
 * struct sb_net - a connection to the host's firewall, kept by a caller that cares for milliseconds
 * @fd:		netlink socket; -1 while closed
 * @seq:	number of the last request
 * @has_deleted: it has deleted from the firewall: to close it takes time
 *
 * When something was deleted from nf_tables lately, by anybody, the kernel lets the closing of such
 * a socket wait for that, about 10 ms (nft_rcv_nl_event()). So keep it until nobody waits for the
 * caller any more.
 */
struct sb_net {
	int fd;
	uint32_t seq;
	bool has_deleted;
};

#define SB_NET_INIT       \
	{                 \
		.fd = -1, \
	}

int sb_net_open(struct sb_net *ret, struct sb_err *err);
void sb_net_close(struct sb_net *net);
int sb_net_create(struct sb_net *net, const struct sb_net_plan *plan, int netns_fd,
		  struct sb_err *err);
void sb_net_dismiss(struct sb_net *net, const struct sb_net_plan *plan);
void sb_net_destroy(const struct sb_net_plan *plan);
int sb_net_for_each_address(int (*fn)(const struct in6_addr *addr, void *arg), void *arg,
			    struct sb_err *err);

enum sb_proto {
	SB_PROTO_TCP,
	SB_PROTO_UDP,
};

/**
 * struct sb_listener - one socket that waits for peers
 * @proto:	TCP in state LISTEN, or UDP bound and not connected
 * @family:	AF_INET or AF_INET6: of the socket, not of the address
 * @addr:	address it is bound to; IPv4 as ::ffff:a.b.c.d, "any" as :: or ::ffff:0.0.0.0
 * @port:	port, host byte order
 * @v6only:	refuses IPv4 peers; the kernel also says so of sockets on one IPv6 address
 * @ifindex:	device it is bound to (SO_BINDTODEVICE), 0 if none
 * @backlog:	TCP: connections that may wait for accept(2); UDP: 0
 * @pending:	TCP: connections that wait now; UDP: bytes to be read
 * @inode:	number of the socket, as in the links of /proc/<pid>/fd
 * @uid:	user who made it, in the caller's user namespace
 */
struct sb_listener {
	enum sb_proto proto;
	int family;
	struct in6_addr addr;
	uint16_t port;
	bool v6only;
	uint32_t ifindex;
	uint32_t backlog;
	uint32_t pending;
	uint32_t inode;
	uint32_t uid;
};

int sb_sock_diag_open(int netns_fd, struct sb_err *err);
int sb_listeners(int diag_fd, struct sb_listener **ret, size_t *ret_n, struct sb_err *err);

/* Whether a listener can be reached from outside its namespace, and if not, why. */
enum sb_reach {
	SB_REACH_OK,
	SB_REACH_LOOPBACK_ONLY,
	SB_REACH_IPV4_ONLY,
	SB_REACH_NOT_LISTENING,
};

enum sb_reach sb_listener_reach(const struct sb_listener *l, const struct in6_addr *addr);
const char *sb_reach_name(enum sb_reach reach);
const char *sb_reach_advice(const struct sb_listener *l, const struct in6_addr *addr, char *buf,
			    size_t size);
const char *sb_proto_name(enum sb_proto proto);
const char *sb_listener_address(const struct sb_listener *l, char buf[INET6_ADDRSTRLEN]);

#endif /* SB_NET_NET_H */
