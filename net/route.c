/* SPDX-License-Identifier: Apache-2.0 */
/* route.c - requests for IPv6 addresses, routes and neighbours */
#include "net/route.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>

#include <linux/if_addr.h>
#include <linux/if_ether.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>

#include "net/nl.h"

#define HOST_BITS 128
#define PATH_MTU  1500 /* of the default route: what the world beyond the host takes */

/* Text of @addr in @buf, for the name of a request. */
static const char *text(const struct in6_addr *addr, char buf[INET6_ADDRSTRLEN])
{
	return inet_ntop(AF_INET6, addr, buf, INET6_ADDRSTRLEN);
}

/**
 * sb_addr_add() - Add a request for an address, usable at once
 * @b:		batch
 * @ifindex:	link, up
 * @addr:	address, /128
 *
 * Without duplicate address detection, which would keep the address tentative for a second or two
 * (RFC 4862 section 5.4) and has nobody to ask on a wire with two ends.
 */
void sb_addr_add(struct sb_nl_batch *b, int ifindex, const struct in6_addr *addr)
{
	struct ifaddrmsg ifa = { .ifa_family = AF_INET6,
				 .ifa_prefixlen = HOST_BITS,
				 .ifa_index = (unsigned int)ifindex };
	char buf[INET6_ADDRSTRLEN];

	sb_nl_add(b, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL | NLM_F_ACK, &ifa, sizeof(ifa));
	sb_nl_what(b, "add address '%s'", text(addr, buf));
	sb_nl_put(b, IFA_LOCAL, addr, sizeof(*addr));
	sb_nl_put(b, IFA_ADDRESS, addr, sizeof(*addr));
	sb_nl_put_u32(b, IFA_FLAGS, IFA_F_NODAD);
}

/**
 * sb_addr_del() - Add a request that removes an address
 * @b:		batch
 * @ifindex:	its link
 * @addr:	address, /128
 */
void sb_addr_del(struct sb_nl_batch *b, int ifindex, const struct in6_addr *addr)
{
	struct ifaddrmsg ifa = { .ifa_family = AF_INET6,
				 .ifa_prefixlen = HOST_BITS,
				 .ifa_index = (unsigned int)ifindex };
	char buf[INET6_ADDRSTRLEN];

	sb_nl_add(b, RTM_DELADDR, NLM_F_ACK, &ifa, sizeof(ifa));
	sb_nl_what(b, "remove address '%s'", text(addr, buf));
	sb_nl_put(b, IFA_LOCAL, addr, sizeof(*addr));
}

static const struct rtmsg local_route = { .rtm_family = AF_INET6,
					  .rtm_dst_len = HOST_BITS,
					  .rtm_table = RT_TABLE_LOCAL,
					  .rtm_protocol = RTPROT_KERNEL,
					  .rtm_scope = RT_SCOPE_UNIVERSE,
					  .rtm_type = RTN_LOCAL };

/* Add RTM_NEWROUTE without a destination; the caller names it and adds what it still needs. */
static void add_route(struct sb_nl_batch *b, const struct rtmsg *route, int flags, int ifindex)
{
	sb_nl_add(b, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_ACK | flags, route, sizeof(*route));
	sb_nl_put_u32(b, RTA_OIF, (uint32_t)ifindex);
}

/**
 * sb_route_add_host() - Add a request for the host's route to one address
 * @b:		batch
 * @ifindex:	link that leads there, up
 * @addr:	address
 *
 * The route table is the register of addresses: the kernel refuses with EEXIST if there is a route
 * already.
 */
void sb_route_add_host(struct sb_nl_batch *b, int ifindex, const struct in6_addr *addr)
{
	struct rtmsg route = { .rtm_family = AF_INET6,
			       .rtm_dst_len = HOST_BITS,
			       .rtm_table = RT_TABLE_MAIN,
			       .rtm_protocol = RTPROT_STATIC,
			       .rtm_scope = RT_SCOPE_UNIVERSE,
			       .rtm_type = RTN_UNICAST };
	char buf[INET6_ADDRSTRLEN];

	add_route(b, &route, NLM_F_EXCL, ifindex);
	sb_nl_what(b, "add route to '%s'", text(addr, buf));
	sb_nl_put(b, RTA_DST, addr, sizeof(*addr));
}

/**
 * sb_route_add_local() - Add a request for the route that makes packets for an address arrive
 * @b:		batch
 * @ifindex:	link that has the address
 * @addr:	address
 *
 * The kernel adds it by itself, but later, from a work queue, when the address was added without
 * duplicate address detection: until then bind(2) works and packets are dropped. No error if the
 * kernel was faster.
 */
void sb_route_add_local(struct sb_nl_batch *b, int ifindex, const struct in6_addr *addr)
{
	char buf[INET6_ADDRSTRLEN];

	add_route(b, &local_route, 0, ifindex);
	sb_nl_what(b, "add local route for '%s'", text(addr, buf));
	sb_nl_tolerate(b, EEXIST);
	sb_nl_put(b, RTA_DST, addr, sizeof(*addr));
}

/**
 * sb_route_del_local() - Add a request that removes what sb_route_add_local() adds
 * @b:		batch
 * @ifindex:	its link
 * @addr:	address
 *
 * Removing the address takes only the route that the kernel added itself. No error if it is gone.
 */
void sb_route_del_local(struct sb_nl_batch *b, int ifindex, const struct in6_addr *addr)
{
	char buf[INET6_ADDRSTRLEN];

	sb_nl_add(b, RTM_DELROUTE, NLM_F_ACK, &local_route, sizeof(local_route));
	sb_nl_what(b, "remove local route for '%s'", text(addr, buf));
	sb_nl_tolerate(b, ESRCH);
	sb_nl_put_u32(b, RTA_OIF, (uint32_t)ifindex);
	sb_nl_put(b, RTA_DST, addr, sizeof(*addr));
}

/**
 * sb_route_add_default() - Add a request for a default route
 * @b:		batch
 * @ifindex:	link, up
 * @gateway:	next hop, link-local
 */
void sb_route_add_default(struct sb_nl_batch *b, int ifindex, const struct in6_addr *gateway)
{
	struct rtmsg route = { .rtm_family = AF_INET6,
			       .rtm_table = RT_TABLE_MAIN,
			       .rtm_protocol = RTPROT_STATIC,
			       .rtm_scope = RT_SCOPE_UNIVERSE,
			       .rtm_type = RTN_UNICAST };
	struct nlattr *metrics;

	add_route(b, &route, NLM_F_EXCL, ifindex);
	sb_nl_what(b, "add default route");
	sb_nl_put(b, RTA_GATEWAY, gateway, sizeof(*gateway));
	metrics = sb_nl_nest(b, RTA_METRICS);
	sb_nl_put_u32(b, RTAX_MTU, PATH_MTU);
	sb_nl_nest_end(b, metrics);
}

/**
 * sb_neigh_add() - Add a request for a permanent neighbour, so that nobody has to be asked
 * @b:		batch
 * @ifindex:	link, up
 * @addr:	address of the neighbour
 * @mac:	its ETH_ALEN bytes
 */
void sb_neigh_add(struct sb_nl_batch *b, int ifindex, const struct in6_addr *addr,
		  const unsigned char *mac)
{
	struct ndmsg neigh = { .ndm_family = AF_INET6,
			       .ndm_ifindex = ifindex,
			       .ndm_state = NUD_PERMANENT,
			       .ndm_type = RTN_UNICAST };
	char buf[INET6_ADDRSTRLEN];

	sb_nl_add(b, RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE | NLM_F_ACK, &neigh, sizeof(neigh));
	sb_nl_what(b, "add neighbour '%s'", text(addr, buf));
	sb_nl_put(b, NDA_DST, addr, sizeof(*addr));
	sb_nl_put(b, NDA_LLADDR, mac, ETH_ALEN);
}
