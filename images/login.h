/* SPDX-License-Identifier: Apache-2.0 */
/*
 * login.h - whether a registry accepts credentials
 */
#ifndef SB_IMAGES_LOGIN_H
#define SB_IMAGES_LOGIN_H

struct sb_err;
struct sb_hosts;

int sb_login_verify(struct sb_hosts *hosts, struct sb_err *err);

#endif /* SB_IMAGES_LOGIN_H */
