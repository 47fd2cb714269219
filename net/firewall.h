/* SPDX-License-Identifier: Apache-2.0 */
/*
 * firewall.h - the host's nftables table for sandboxes
 */
#ifndef SB_NET_FIREWALL_H
#define SB_NET_FIREWALL_H

#include <stddef.h>

struct in6_addr;
struct sb_err;

int sb_firewall_up(struct sb_err *err);
int sb_firewall_down(struct sb_err *err);
int sb_firewall_admit(const struct in6_addr *addr, struct sb_err *err);
int sb_firewall_dismiss(const struct in6_addr *addr, struct sb_err *err);
int sb_firewall_list(struct in6_addr **ret, size_t *ret_n, struct sb_err *err);

#endif /* SB_NET_FIREWALL_H */
