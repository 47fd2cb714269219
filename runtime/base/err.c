/* SPDX-License-Identifier: Apache-2.0 */
/* err.c - the error object that every fallible function fills in */
#include "runtime/base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "runtime/base/str.h"

static void __attribute__((format(printf, 3, 0)))
fill(struct sb_err *err, int code, const char *fmt, va_list ap)
{
	int saved = errno;

	err->code = code > 0 ? code : EIO;
	err->is_whole = false;
	err->exit_code = 0;
	err->hint[0] = '\0';
	vsnprintf(err->msg, sizeof(err->msg), fmt, ap);
	errno = saved;
}

/**
 * sb_err_set() - Fill in an error and return its negative code
 * @err:	error to fill in
 * @code:	errno value; 0 is taken as EIO, so that a failure can never read as success
 * @fmt:	printf format of the message
 *
 * Preserves errno. An earlier hint and exit code are dropped.
 *
 * Return: -@code, so that callers can write `return sb_err_set(err, errno, "open '%s'", path);`
 */
int sb_err_set(struct sb_err *err, int code, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fill(err, code, fmt, ap);
	va_end(ap);
	return -err->code;
}

/**
 * sb_err_refuse() - Fill in an error whose message needs no errno text
 * @err:	error to fill in
 * @code:	errno value, for programs
 * @fmt:	printf format of the message
 *
 * For what sbrun itself finds wrong: bad input, "no sandbox 'x'". What the kernel refuses goes
 * through sb_err_set().
 *
 * Return: -@code
 */
int sb_err_refuse(struct sb_err *err, int code, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fill(err, code, fmt, ap);
	va_end(ap);
	err->is_whole = true;
	return -err->code;
}

/**
 * sb_err_prefix() - Say in what context an error happened: "<prefix>: <message>"
 * @err:	error that is already set
 * @fmt:	printf format of the prefix
 *
 * Return: -@err->code
 */
int sb_err_prefix(struct sb_err *err, const char *fmt, ...)
{
	char old[SB_ERR_MSG_MAX];
	size_t n;
	va_list ap;

	memcpy(old, err->msg, sizeof(old));
	va_start(ap, fmt);
	vsnprintf(err->msg, sizeof(err->msg), fmt, ap);
	va_end(ap);

	n = strlen(err->msg);
	snprintf(err->msg + n, sizeof(err->msg) - n, ": %s", old);
	return -err->code;
}

/**
 * sb_err_hint() - Add what the user can do about an error
 * @err:	error that is already set
 * @fmt:	printf format of the hint
 *
 * Return: -@err->code
 */
int sb_err_hint(struct sb_err *err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(err->hint, sizeof(err->hint), fmt, ap);
	va_end(ap);
	return -err->code;
}

/**
 * sb_err_text() - The whole error as one line, as shown to people
 * @err:	error that is set
 * @buf:	where the line goes; cut if it does not fit
 * @size:	size of @buf in bytes
 *
 * "<message>: <errno text>", followed by the hint in parentheses.
 *
 * Return: @buf
 */
const char *sb_err_text(const struct sb_err *err, char *buf, unsigned int size)
{
	int n = snprintf(buf, size, "%s", err->msg);

	if (n >= 0 && (unsigned int)n < size && !err->is_whole)
		n += snprintf(buf + n, size - (unsigned int)n, ": %s", strerror(err->code));
	if (n >= 0 && (unsigned int)n < size && err->hint[0])
		snprintf(buf + n, size - (unsigned int)n, " (%s)", err->hint);
	return sb_str_clean(buf);
}
