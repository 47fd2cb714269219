/* SPDX-License-Identifier: Apache-2.0 */
/*
 * firewall.h - the host's nftables table for sandboxes
 */
#ifndef SB_NET_FIREWALL_H
#define SB_NET_FIREWALL_H

#include <stddef.h>

struct in6_addr;
struct sb_err;
struct sb_nl;

int sb_firewall_open(struct sb_nl *nl, struct sb_err *err);
int sb_firewall_up(struct sb_nl *nl, struct sb_err *err);
int sb_firewall_down(struct sb_nl *nl, struct sb_err *err);
int sb_firewall_admit(struct sb_nl *nl, const struct in6_addr *addr, struct sb_err *err);
int sb_firewall_dismiss(struct sb_nl *nl, const struct in6_addr *addr, struct sb_err *err);
int sb_firewall_list(struct sb_nl *nl, struct in6_addr **ret, size_t *ret_n, struct sb_err *err);

#endif /* SB_NET_FIREWALL_H */
