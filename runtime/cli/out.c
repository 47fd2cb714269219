/* SPDX-License-Identifier: Apache-2.0 */
/* out.c - results for people and programs, on standard output */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "runtime/base/err.h"
#include "runtime/base/json.h"
#include "runtime/base/log.h"
#include "runtime/base/sys.h"
#include "runtime/cli/cli.h"

#define YEAR_S 31556952 /* 365.2425 days, the mean of the Gregorian calendar */

/**
 * sb_out_json() - Print a JSON value and a newline
 * @value:	taken over
 */
void sb_out_json(json_t *value)
{
	char *text = value ? json_dumps(value, JSON_INDENT(2) | JSON_ENCODE_ANY) : NULL;

	if (text)
		puts(text);
	free(text);
	json_decref(value);
}

/**
 * sb_out_error() - Say why a command failed
 * @cli:	with @json the error is data: an object on standard output
 * @command:	its name; NULL if none was recognised
 * @err:	the error
 */
void sb_out_error(const struct sb_cli *cli, const char *command, const struct sb_err *err)
{
	char text[SB_ERR_MSG_MAX + SB_ERR_HINT_MAX + 128];

	if (cli->json)
		sb_out_json(sb_json_from_err(err));
	else
		sb_log(SB_LOG_ERROR, "%s%s%s", command ? command : "", command ? ": " : "",
		       sb_err_text(err, text, sizeof(text)));
}

/**
 * sb_out_partial() - End a command that has failed after it has done something
 * @cli:	our call
 * @value:	what was done, with --json: an object, taken over; the error is added to it. Without
 *		it was told already
 * @err:	the error
 *
 * Return: what the command returns
 */
int sb_out_partial(const struct sb_cli *cli, json_t *value, const struct sb_err *err)
{
	json_t *error;

	if (!cli->json) {
		json_decref(value);
		return -err->code;
	}
	error = sb_json_from_err(err);
	(void)json_object_update(value, error);
	json_decref(error);
	sb_out_json(value);
	return err->exit_code ? err->exit_code : SB_EXIT_FAILED;
}

/**
 * sb_out_row() - Print one line of a table
 * @cells:	texts
 * @widths:	least width of each column
 * @n:		how many
 */
void sb_out_row(const char *const cells[], const int widths[], size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (i + 1 < n)
			printf("%-*s  ", widths[i], cells[i]);
		else
			puts(cells[i]);
	}
}

/**
 * sb_out_age() - How long ago something was, for people
 * @wall_ms:	when; 0 or less = unknown
 * @buf:	text
 * @size:	size of @buf
 *
 * Return: @buf
 */
const char *sb_out_age(int64_t wall_ms, char *buf, size_t size)
{
	int64_t s = (sb_wall_ms() - wall_ms) / 1000;

	if (wall_ms <= 0)
		snprintf(buf, size, "-");
	else if (s < 120)
		snprintf(buf, size, "%" PRId64 "s ago", s < 0 ? 0 : s);
	else if (s < 2 * 3600)
		snprintf(buf, size, "%" PRId64 "m ago", s / 60);
	else if (s < 2 * 86400)
		snprintf(buf, size, "%" PRId64 "h ago", s / 3600);
	else if (s < 2 * YEAR_S)
		snprintf(buf, size, "%" PRId64 "d ago", s / 86400);
	else
		snprintf(buf, size, "%" PRId64 "y ago", s / YEAR_S);
	return buf;
}

/**
 * sb_out_bytes() - A size for people
 * @bytes:	size
 * @buf:	text
 * @size:	size of @buf
 *
 * Return: @buf
 */
const char *sb_out_bytes(uint64_t bytes, char *buf, size_t size)
{
	static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB" };
	double v = (double)bytes;
	int i = 0;

	for (; v >= 1024 && i < 4; i++)
		v /= 1024;
	snprintf(buf, size, i ? "%.1f %s" : "%.0f %s", v, units[i]);
	return buf;
}

/**
 * sb_out_base64() - Bytes that are not UTF-8, which JSON text cannot hold
 * @data:	bytes
 * @len:	how many
 * @obj:	object that gets "<key>Encoding": "base64" to say so
 * @key:	where the result will be
 *
 * RFC 4648 section 4.
 *
 * Return: a string that the caller adds to @obj, or NULL without memory
 */
json_t *sb_out_base64(const char *data, size_t len, json_t *obj, const char *key)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	char *text = malloc(len / 3 * 4 + 5), *p = text;
	char name[64];
	json_t *ret;

	for (size_t i = 0; text && i < len; i += 3) {
		uint32_t v = 0;

		for (size_t k = 0; k < 3; k++)
			v = v << 8 | (i + k < len ? (unsigned char)data[i + k] : 0);
		for (size_t k = 0; k < 4; k++)
			*p++ = i + k > len ? '=' : digits[v >> (18 - 6 * k) & 63];
	}
	ret = text ? json_stringn(text, (size_t)(p - text)) : NULL;
	free(text);
	snprintf(name, sizeof(name), "%sEncoding", key);
	(void)json_object_set_new(obj, name, json_string("base64"));
	return ret;
}
