/* SPDX-License-Identifier: Apache-2.0 */
/*
 * err.h - the error object that every fallible function fills in
 *
 * Convention: a function that can fail returns int, takes `struct sb_err *err` as its last
 * argument, and returns 0 (or a documented positive outcome) with @err untouched, or a negative
 * errno value with @err filled in. A failure always carries a non-zero code.
 *
 * struct sb_err is plain data of fixed size: filling it needs no memory, and the child of a
 * clone(2) hands it to its parent as one packet.
 */
#ifndef SB_BASE_ERR_H
#define SB_BASE_ERR_H

#include <stdbool.h>

#define SB_ERR_MSG_MAX  240 /* bytes, with the terminating NUL; longer messages are cut */
#define SB_ERR_HINT_MAX 160 /* likewise */

/**
 * struct sb_err - why an operation failed
 * @code:	errno value, > 0 once an error is set, 0 before
 * @is_whole:	the message is the whole story: the errno text would only disturb
 * @exit_code:	what a command should exit with because of it; 0 if nothing special (125)
 * @msg:	message for the operator, without the errno text and without a full stop
 * @hint:	what to do about it, where the errno misleads; empty if there is nothing to say
 */
struct sb_err {
	int code;
	bool is_whole;
	int exit_code;
	char msg[SB_ERR_MSG_MAX];
	char hint[SB_ERR_HINT_MAX];
};

#define SB_ERR_INIT       \
	{                 \
		.code = 0 \
	}

int sb_err_set(struct sb_err *err, int code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
int sb_err_refuse(struct sb_err *err, int code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
int sb_err_prefix(struct sb_err *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
int sb_err_hint(struct sb_err *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
const char *sb_err_text(const struct sb_err *err, char *buf, unsigned int size);

#endif /* SB_BASE_ERR_H */
