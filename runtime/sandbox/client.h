/* SPDX-License-Identifier: Apache-2.0 */
/*
 * client.h - talking to a sandbox's monitor
 *
 * One SOCK_SEQPACKET packet is one JSON object. A connection carries requests one after the other;
 * HACKING.md ("The control socket") lists them.
 */
#ifndef SB_SANDBOX_CLIENT_H
#define SB_SANDBOX_CLIENT_H

#include <stddef.h>

#include <jansson.h>

struct sb_err;
struct sb_home;

int sb_client_connect(const struct sb_home *home, const char *id, struct sb_err *err);
int sb_client_send(int conn, json_t *message, const int *fds, size_t n_fds, struct sb_err *err);
int sb_client_recv(int conn, json_t **ret, int *ret_fd, struct sb_err *err);
int sb_client_request(const struct sb_home *home, const char *id, json_t *request, json_t **ret,
		      struct sb_err *err);
int sb_client_gone(const struct sb_home *home, const char *id, struct sb_err *err);

#endif /* SB_SANDBOX_CLIENT_H */
