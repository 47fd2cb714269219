/* SPDX-License-Identifier: Apache-2.0 */
/*
 * login.h - whether a registry accepts credentials
 */
#ifndef SB_IMAGES_LOGIN_H
#define SB_IMAGES_LOGIN_H

#include <stddef.h>

struct sb_err;
struct sb_registry_host;

int sb_login_verify(const struct sb_registry_host *hosts, size_t n_hosts, struct sb_err *err);

#endif /* SB_IMAGES_LOGIN_H */
