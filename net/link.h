/* SPDX-License-Identifier: Apache-2.0 */
/*
 * link.h - the veth pair of an attachment
 */
#ifndef SB_NET_LINK_H
#define SB_NET_LINK_H

#include <linux/if_ether.h>

struct sb_err;
struct sb_nl;
struct sb_nl_batch;

#define SB_LINK_GROUP    91     /* interface group of host ends: what the firewall matches */
#define SB_LINK_LOOPBACK 1      /* ifindex of "lo" in every namespace (LOOPBACK_IFINDEX) */
#define SB_LINK_INSIDE   "eth0" /* name of the far end */

extern const unsigned char sb_link_host_mac[ETH_ALEN];
extern const unsigned char sb_link_inside_mac[ETH_ALEN];

/**
 * struct sb_veth - a pair that has been made
 * @host_index:	ifindex of the host end
 * @inside_index: ifindex of the far end, in its namespace
 */
struct sb_veth {
	int host_index;
	int inside_index;
};

int sb_veth_create(struct sb_nl *nl, const char *host_if, int netns_fd, struct sb_veth *ret,
		   struct sb_err *err);
int sb_link_delete(struct sb_nl *nl, const char *name, struct sb_err *err);
void sb_link_add_no_autoaddr(struct sb_nl_batch *b, int ifindex, const char *name);
void sb_link_add_up(struct sb_nl_batch *b, int ifindex, const char *name);
int sb_link_wait_carrier(struct sb_nl *nl, int ifindex, const char *name, struct sb_err *err);

#endif /* SB_NET_LINK_H */
