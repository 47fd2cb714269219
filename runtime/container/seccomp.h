/* SPDX-License-Identifier: Apache-2.0 */
/*
 * seccomp.h - system call filter of sandboxes
 *
 * The default profile is data in seccomp_profile.c and was compiled to BPF when sbrun was built:
 * installing it is one system call.
 */
#ifndef SB_CONTAINER_SECCOMP_H
#define SB_CONTAINER_SECCOMP_H

#include <stddef.h>

struct sb_err;
struct sock_filter;

int sb_seccomp_default_load(struct sb_err *err);
const struct sock_filter *sb_seccomp_default_insns(void);
size_t sb_seccomp_default_len(void);

#endif /* SB_CONTAINER_SECCOMP_H */
