/* SPDX-License-Identifier: Apache-2.0 */
/*
 * route.h - requests for IPv6 addresses, routes and neighbours
 */
#ifndef SB_NET_ROUTE_H
#define SB_NET_ROUTE_H

struct in6_addr;
struct sb_nl_batch;

void sb_addr_add(struct sb_nl_batch *b, int ifindex, const struct in6_addr *addr);
void sb_addr_del(struct sb_nl_batch *b, int ifindex, const struct in6_addr *addr);
void sb_route_add_host(struct sb_nl_batch *b, int ifindex, const struct in6_addr *addr);
void sb_route_add_local(struct sb_nl_batch *b, int ifindex, const struct in6_addr *addr);
void sb_route_del_local(struct sb_nl_batch *b, int ifindex, const struct in6_addr *addr);
void sb_route_add_default(struct sb_nl_batch *b, int ifindex, const struct in6_addr *gateway);
void sb_neigh_add(struct sb_nl_batch *b, int ifindex, const struct in6_addr *addr,
		  const unsigned char *mac);

#endif /* SB_NET_ROUTE_H */
