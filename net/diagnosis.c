/* SPDX-License-Identifier: Apache-2.0 */
/* diagnosis.c - whether a listening socket can be reached from outside, and if not, why */
#include "net/net.h"

#include <arpa/inet.h>
#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "net/link.h"
#include "runtime/base/cleanup.h"

#define ADVICE "bind to :: to be reachable"

static const char *const reach_names[] = {
	[SB_REACH_OK] = "reachable",
	[SB_REACH_LOOPBACK_ONLY] = "loopback_only",
	[SB_REACH_IPV4_ONLY] = "ipv4_only",
	[SB_REACH_NOT_LISTENING] = "not_listening",
};
static_assert(SB_ARRAY_SIZE(reach_names) == SB_REACH_NOT_LISTENING + 1,
	      "reach_names[] and enum differ");

static const char *const proto_names[] = {
	[SB_PROTO_TCP] = "tcp",
	[SB_PROTO_UDP] = "udp",
};
static_assert(SB_ARRAY_SIZE(proto_names) == SB_PROTO_UDP + 1, "proto_names[] and enum differ");

/**
 * sb_listener_reach() - Whether peers outside the namespace reach a listener
 * @l:		listener; NULL if nobody listens
 * @addr:	the namespace's address, the only one that packets from outside are for
 *
 * Return: SB_REACH_OK or the reason why not. A socket on some other address than @addr does not
 * listen as far as the world is concerned
 */
enum sb_reach sb_listener_reach(const struct sb_listener *l, const struct in6_addr *addr)
{
	if (!l)
		return SB_REACH_NOT_LISTENING;
	if (l->ifindex == SB_LINK_LOOPBACK)
		return SB_REACH_LOOPBACK_ONLY;
	if (IN6_IS_ADDR_V4MAPPED(&l->addr)) /* 127.0.0.0/8: RFC 1122 section 3.2.1.3 (g) */
		return l->addr.s6_addr[12] == 127 ? SB_REACH_LOOPBACK_ONLY : SB_REACH_IPV4_ONLY;
	if (IN6_IS_ADDR_LOOPBACK(&l->addr))
		return SB_REACH_LOOPBACK_ONLY;
	if (IN6_IS_ADDR_UNSPECIFIED(&l->addr) || IN6_ARE_ADDR_EQUAL(&l->addr, addr))
		return SB_REACH_OK;
	return SB_REACH_NOT_LISTENING;
}

/**
 * sb_reach_name() - The word for a diagnosis in JSON
 * @reach:	diagnosis
 *
 * Return: constant string
 */
const char *sb_reach_name(enum sb_reach reach)
{
	return reach_names[reach];
}

/**
 * sb_proto_name() - The word for a protocol
 * @proto:	protocol
 *
 * Return: constant string
 */
const char *sb_proto_name(enum sb_proto proto)
{
	return proto_names[proto];
}

/**
 * sb_listener_address() - The address that a socket is bound to, as its family writes it
 * @l:		listener
 * @buf:	text: IPv4 without the mapping of RFC 4291 section 2.5.5.2
 *
 * Return: @buf
 */
const char *sb_listener_address(const struct sb_listener *l, char buf[INET6_ADDRSTRLEN])
{
	if (l->family == AF_INET)
		return inet_ntop(AF_INET, l->addr.s6_addr + 12, buf, INET6_ADDRSTRLEN);
	return inet_ntop(AF_INET6, &l->addr, buf, INET6_ADDRSTRLEN);
}

/**
 * sb_reach_advice() - One sentence: what a listener does and what to do about it
 * @l:		listener; NULL if nobody listens
 * @addr:	the namespace's address
 * @buf:	where it goes; SB_NET_ADVICE_LEN bytes are enough for all
 * @size:	size of @buf
 *
 * Return: @buf
 */
const char *sb_reach_advice(const struct sb_listener *l, const struct in6_addr *addr, char *buf,
			    size_t size)
{
	char at[INET6_ADDRSTRLEN] = "", own[INET6_ADDRSTRLEN];
	enum sb_reach reach = sb_listener_reach(l, addr);

	(void)inet_ntop(AF_INET6, addr, own, sizeof(own));
	if (l)
		(void)sb_listener_address(l, at);
	switch (reach) {
	case SB_REACH_OK:
		snprintf(buf, size, "reachable at [%s]:%u", own, (unsigned int)l->port);
		break;
	case SB_REACH_LOOPBACK_ONLY:
		if (l->ifindex == SB_LINK_LOOPBACK)
			snprintf(buf, size, "bound to the loopback device: %s",
				 "do not bind to a device to be reachable");
		else
			snprintf(buf, size, "listens on %s, %s loopback only: " ADVICE, at,
				 IN6_IS_ADDR_V4MAPPED(&l->addr) ? "IPv4" : "IPv6");
		break;
	case SB_REACH_IPV4_ONLY:
		snprintf(buf, size, "listens on %s, IPv4 only, and the network is IPv6: " ADVICE,
			 at);
		break;
	case SB_REACH_NOT_LISTENING:
		if (!l)
			snprintf(buf, size, "nothing listens on this port");
		else
			snprintf(buf, size, "listens on %s, not on [%s]: " ADVICE, at, own);
		break;
	}
	return buf;
}
