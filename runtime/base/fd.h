/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fd.h - whole files by directory descriptor, exact reads and writes, descriptors over sockets
 */
#ifndef SB_BASE_FD_H
#define SB_BASE_FD_H

#include <stddef.h>
#include <sys/types.h>

struct sb_err;

#define SB_FDS_MAX 8 /* descriptors in one packet */

int sb_write_all(int fd, const void *data, size_t len);
int sb_open_bytes(const char *name, const void *data, size_t len, struct sb_err *err);
int sb_read_fd(int fd, const char *name, size_t max, char **ret_data, size_t *ret_len,
	       struct sb_err *err);
int sb_read_at(int dirfd, const char *name, size_t max, char **ret_data, size_t *ret_len,
	       struct sb_err *err);
int sb_read_small_at(int dirfd, const char *name, char *buf, size_t size);
int sb_put_at(int dirfd, const char *name, const char *value, struct sb_err *err);
int sb_replace_at(int dirfd, const char *name, mode_t mode, const void *data, size_t len,
		  struct sb_err *err);

int sb_send_fds(int sock, const void *data, size_t len, const int *fds, size_t n_fds);
ssize_t sb_recv_fds(int sock, void *data, size_t size, int *ret_fds, size_t *ret_n_fds);

#endif /* SB_BASE_FD_H */
