/* SPDX-License-Identifier: Apache-2.0 */
/*
 * log.h - messages for people on standard error
 *
 * base, net and images never log above debug: they return errors. Log calls preserve errno.
 */
#ifndef SB_BASE_LOG_H
#define SB_BASE_LOG_H

#include <stdbool.h>

enum sb_log_level {
	SB_LOG_ERROR,
	SB_LOG_WARN,
	SB_LOG_INFO,
	SB_LOG_DEBUG,
};

void sb_log_init(enum sb_log_level max_level, bool json);
void sb_log(enum sb_log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#define sb_warn(...)  sb_log(SB_LOG_WARN, __VA_ARGS__)
#define sb_info(...)  sb_log(SB_LOG_INFO, __VA_ARGS__)
#define sb_debug(...) sb_log(SB_LOG_DEBUG, __VA_ARGS__)

#endif /* SB_BASE_LOG_H */
