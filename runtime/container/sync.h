/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sync.h - how the child of a clone(2) tells its parent what became of it
 *
 * One SOCK_SEQPACKET pair, close-on-exec on both ends. The child sends its struct sb_err when it
 * fails; when its execve(2) succeeds the kernel closes its end. So the parent reads either one
 * packet (failure) or the end of the stream (the program runs), and never a part of either.
 */
#ifndef SB_CONTAINER_SYNC_H
#define SB_CONTAINER_SYNC_H

struct sb_err;

int sb_sync_pair(int ret_fds[2], struct sb_err *err);
void sb_sync_fail(int fd, const struct sb_err *msg) __attribute__((noreturn));
int sb_sync_result(int fd, struct sb_err *err);

#endif /* SB_CONTAINER_SYNC_H */
