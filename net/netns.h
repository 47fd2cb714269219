/* SPDX-License-Identifier: Apache-2.0 */
/*
 * netns.h - visits to another network namespace
 */
#ifndef SB_NET_NETNS_H
#define SB_NET_NETNS_H

struct sb_err;

int sb_netns_enter(int netns_fd, int *ret_home_fd, struct sb_err *err);
int sb_netns_leave(int *home_fd, struct sb_err *err);

#endif /* SB_NET_NETNS_H */
