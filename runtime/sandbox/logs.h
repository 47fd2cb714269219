/* SPDX-License-Identifier: Apache-2.0 */
/*
 * logs.h - what background sessions have written
 */
#ifndef SB_SANDBOX_LOGS_H
#define SB_SANDBOX_LOGS_H

#include <stdint.h>

struct sb_err;
struct sb_home;

/* The logs of session 7 are "7.out" and "7.err". */
#define SB_LOG_SUFFIX(stream) ((stream) ? ".err" : ".out")

/**
 * struct sb_logs - the logs of one session
 * @fds:	standard output and error; -1 where there is none
 * @from:	first byte of each that was not dropped
 */
struct sb_logs {
	int fds[2];
	int64_t from[2];
};

#define SB_LOGS_INIT              \
	{                         \
		.fds = { -1, -1 } \
	}

int sb_logs_open(const struct sb_home *home, const char *id, int exec, struct sb_logs *ret,
		 struct sb_err *err);
int sb_logs_newest(const struct sb_home *home, const char *id);
void sb_logs_close(struct sb_logs *logs);
int sb_logs_copy(const struct sb_logs *logs, const int to[2], struct sb_err *err);
int sb_logs_follow(const struct sb_home *home, const char *id, int exec, const struct sb_logs *logs,
		   struct sb_err *err);

#endif /* SB_SANDBOX_LOGS_H */
