/* SPDX-License-Identifier: Apache-2.0 */
/* num.c - strict parsing of numbers, sizes, durations, ports and signals */
#include "runtime/base/num.h"

#include <ctype.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "runtime/base/cleanup.h"

/* Read decimal digits at *@s and step over them. */
static int digits(const char **s, uint64_t max, uint64_t *ret)
{
	uint64_t n = 0;
	const char *p = *s;

	if (!isdigit((unsigned char)*p))
		return -EINVAL;
	for (; isdigit((unsigned char)*p); p++) {
		uint64_t digit = (uint64_t)(*p - '0');

		if (n > (UINT64_MAX - digit) / 10)
			return -ERANGE;
		n = n * 10 + digit;
	}
	if (n > max)
		return -ERANGE;
	*s = p;
	*ret = n;
	return 0;
}

/**
 * sb_parse_u64() - A decimal number
 * @s:		word
 * @max:	largest accepted value
 * @ret:	the number
 *
 * Return: 0, -EINVAL or -ERANGE
 */
int sb_parse_u64(const char *s, uint64_t max, uint64_t *ret)
{
	uint64_t n;
	int r = digits(&s, max, &n);

	if (r < 0)
		return r;
	if (*s)
		return -EINVAL;
	*ret = n;
	return 0;
}

/**
 * sb_parse_within() - The number in a name that the kernel or we have made: "exec-12", "12.json"
 * @s:		word
 * @before:	what it begins with
 * @after:	what follows the number to the end
 * @ret:	the number
 *
 * Return: 0, -EINVAL (another form) or -ERANGE
 */
int sb_parse_within(const char *s, const char *before, const char *after, uint64_t *ret)
{
	uint64_t n;
	int r;

	if (strncmp(s, before, strlen(before)) != 0)
		return -EINVAL;
	s += strlen(before);
	r = digits(&s, UINT32_MAX, &n);
	if (r < 0)
		return r;
	if (strcmp(s, after) != 0)
		return -EINVAL;
	*ret = n;
	return 0;
}

/**
 * sb_parse_size() - A number of bytes, as in docker run --memory
 * @s:		decimal number with an optional unit b, k, m, g or t (powers of 1024, either case;
 *		"kb" and "kib" are accepted as well)
 * @ret_bytes:	bytes
 *
 * Return: 0, -EINVAL or -ERANGE
 */
int sb_parse_size(const char *s, uint64_t *ret_bytes)
{
	static const char units[] = "bkmgt";
	unsigned int shift = 0;
	const char *unit;
	uint64_t n;
	int r = digits(&s, UINT64_MAX, &n);

	if (r < 0)
		return r;
	if (*s) {
		unit = strchr(units, tolower((unsigned char)*s));
		if (!unit)
			return -EINVAL;
		shift = 10 * (unsigned int)(unit - units);
		s++;
		if (shift && *s && strcasecmp(s, "b") != 0 && strcasecmp(s, "ib") != 0)
			return -EINVAL;
		if (!shift && *s)
			return -EINVAL;
	}
	if (n > (UINT64_MAX >> shift))
		return -ERANGE;
	*ret_bytes = n << shift;
	return 0;
}

/**
 * sb_parse_duration() - A span of time: "1500ms", "30s", "10m", "2h", "1d", "1h30m", "30"
 * @s:		numbers with units, added up; a single number without a unit means seconds
 * @ret_ms:	milliseconds
 *
 * Return: 0, -EINVAL or -ERANGE (over ten years)
 */
int sb_parse_duration(const char *s, uint64_t *ret_ms)
{
	static const struct {
		const char *name;
		uint64_t ms;
	} units[] = {
		{ "ms", 1 }, { "s", 1000 }, { "m", 60000 }, { "h", 3600000 }, { "d", 86400000 }
	};
	const uint64_t max = 10ULL * 366 * 86400000;
	const char *start = s;
	uint64_t sum = 0;

	do {
		const char *number = s;
		size_t i, len;
		uint64_t n;
		int r = digits(&s, max, &n);

		if (r < 0)
			return r;
		len = strspn(s, "abcdefghijklmnopqrstuvwxyz");
		if (len == 0 && *s == '\0' && number == start) {
			i = 1;
		} else {
			for (i = 0; i < SB_ARRAY_SIZE(units); i++)
				if (strlen(units[i].name) == len && !memcmp(s, units[i].name, len))
					break;
		}
		if (i == SB_ARRAY_SIZE(units))
			return -EINVAL;
		if (n > max / units[i].ms || sum + n * units[i].ms > max)
			return -ERANGE;
		sum += n * units[i].ms;
		s += len;
	} while (*s);
	*ret_ms = sum;
	return 0;
}

/**
 * sb_parse_port() - A TCP or UDP port
 * @s:		word
 * @ret:	1..65535
 *
 * Return: 0, -EINVAL or -ERANGE (also for 0)
 */
int sb_parse_port(const char *s, uint16_t *ret)
{
	uint64_t n;
	int r = sb_parse_u64(s, UINT16_MAX, &n);

	if (r < 0)
		return r;
	if (n == 0)
		return -ERANGE;
	*ret = (uint16_t)n;
	return 0;
}

/**
 * sb_parse_cpus() - A number of processors, as in docker run --cpus: "2", "1.5", "0.25"
 * @s:		decimal number with at most three places
 * @ret_milli:	thousandths of a processor, at least 10 (the kernel's least quota is 1 ms in 100 ms)
 *
 * Return: 0, -EINVAL or -ERANGE
 */
int sb_parse_cpus(const char *s, uint32_t *ret_milli)
{
	uint64_t whole, part = 0;
	size_t len = 0;
	int r = digits(&s, 1000000, &whole);

	if (r < 0)
		return r;
	if (*s == '.') {
		len = strlen(++s);
		r = len > 3 ? -EINVAL : sb_parse_u64(s, 999, &part);
		if (r < 0)
			return r;
		for (; len < 3; len++)
			part *= 10;
	} else if (*s) {
		return -EINVAL;
	}
	if (whole * 1000 + part < 10)
		return -ERANGE;
	*ret_milli = (uint32_t)(whole * 1000 + part);
	return 0;
}

/**
 * sb_parse_signal() - A signal by number or name: "9", "KILL", "SIGKILL", "rtmin+1"
 * @s:		word, either case
 * @ret:	1..SIGRTMAX
 *
 * Return: 0 or -EINVAL
 */
int sb_parse_signal(const char *s, int *ret)
{
	uint64_t n;

	if (isdigit((unsigned char)*s)) {
		if (sb_parse_u64(s, (uint64_t)SIGRTMAX, &n) < 0 || n == 0)
			return -EINVAL;
		*ret = (int)n;
		return 0;
	}
	if (!strncasecmp(s, "SIG", 3))
		s += 3;
	if (!strncasecmp(s, "RTMIN+", 6)) {
		if (sb_parse_u64(s + 6, (uint64_t)(SIGRTMAX - SIGRTMIN), &n) < 0)
			return -EINVAL;
		*ret = SIGRTMIN + (int)n;
		return 0;
	}
	for (int sig = 1; sig < SIGSYS + 1; sig++) {
		const char *name = sigabbrev_np(sig);

		if (name && !strcasecmp(name, s)) {
			*ret = sig;
			return 0;
		}
	}
	return -EINVAL;
}
