/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sys.h - system calls that glibc 2.36 has no wrapper for, clocks, and process handles
 */
#ifndef SB_BASE_SYS_H
#define SB_BASE_SYS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct clone_args;
struct open_how;

#define SB_TIME_LEN \
	80 /* bytes for an RFC 3339 time: more than it takes, as compilers cannot know */

pid_t sb_clone3(struct clone_args *args);
int sb_openat2(int dirfd, const char *path, const struct open_how *how);
int sb_pivot_root(const char *new_root, const char *put_old);
int sb_execveat(int fd, const char *path, char *const argv[], char *const envp[], int flags);
int sb_pidfd_send_signal(int pidfd, int sig);
void sb_reap(pid_t pid);

uint64_t sb_now_ms(void);
uint64_t sb_now_us(void);
int64_t sb_wall_ms(void);
const char *sb_time_format(int64_t wall_ms, char *buf);

#endif /* SB_BASE_SYS_H */
