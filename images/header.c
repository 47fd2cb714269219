/* SPDX-License-Identifier: Apache-2.0 */
/* header.c - one header block of a tar (POSIX.1-2017, pax, "ustar Header Block") */
#include "images/header.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "images/tar.h"
#include "runtime/base/err.h"

/* GNU's base-256: big-endian, the first byte holds the mark, 0xff there means negative. */
static int base_256(const unsigned char *p, size_t len, uint64_t *ret)
{
	uint64_t n = 0;

	if (*p != 0x80)
		return -ERANGE;
	for (size_t i = 1; i < len; i++) {
		if (n > UINT64_MAX >> 8)
			return -ERANGE;
		n = n << 8 | p[i];
	}
	*ret = n;
	return 0;
}

/* Octal digits, between blanks and NULs. */
static int octal(const unsigned char *p, size_t len, uint64_t *ret)
{
	const unsigned char *end = p + len;
	uint64_t n = 0;

	while (p < end && *p == ' ')
		p++;
	for (; p < end && *p >= '0' && *p <= '7'; p++) {
		if (n > UINT64_MAX >> 3)
			return -ERANGE;
		n = n << 3 | (uint64_t)(*p - '0');
	}
	while (p < end && (*p == ' ' || *p == '\0'))
		p++;
	if (p < end)
		return -EINVAL;
	*ret = n;
	return 0;
}

/**
 * sb_header_number() - Read a numeric field
 * @field:	its bytes
 * @len:	how many
 * @number:	what it is
 * @ret:	its value; an empty field is 0
 *
 * Return: 0 or -EPROTO
 */
int sb_header_number(const char *field, size_t len, const struct sb_header_number *number,
		     uint64_t *ret, struct sb_err *err)
{
	const unsigned char *p = (const unsigned char *)field;
	uint64_t n = 0;
	int r = *p & 0x80 ? base_256(p, len, &n) : octal(p, len, &n);

	if (r == -EINVAL)
		return sb_err_refuse(err, EPROTO, "%s is not a number", number->what);
	if (r < 0 || n > number->max)
		return sb_err_refuse(err, EPROTO, "%s is out of range", number->what);
	*ret = n;
	return 0;
}

/**
 * sb_header_check() - Compare the checksum
 * @header:	block that is not zero
 *
 * Return: 0 or -EPROTO
 */
int sb_header_check(const struct sb_header *header, struct sb_err *err)
{
	const unsigned char *p = (const unsigned char *)header;
	const size_t from = offsetof(struct sb_header, checksum);
	uint64_t want, sum = 0;
	int64_t signed_sum = 0; /* what old programs wrote, who took bytes for signed */

	for (size_t i = 0; i < SB_HEADER_BYTES; i++) {
		bool own = i >= from && i < from + sizeof(header->checksum);
		unsigned char c = own ? ' ' : p[i];

		sum += c;
		signed_sum += (signed char)c;
	}
	if (SB_HEADER_FIELD(header, checksum, UINT32_MAX, &want, "the checksum", err) < 0 ||
	    (sum != want && signed_sum != (int64_t)want))
		return sb_err_refuse(err, EPROTO,
				     "not a tar, or a broken one: wrong header checksum");
	return 0;
}

/**
 * sb_header_is_zero() - Whether a block is one of those that end an archive
 * @header:	block
 *
 * Return: true if all its bytes are 0
 */
bool sb_header_is_zero(const struct sb_header *header)
{
	static const char zero[SB_HEADER_BYTES];

	return !memcmp(header, zero, SB_HEADER_BYTES);
}

/**
 * sb_header_type() - What a type flag means
 * @flag:	flag of an entry, not of an extended header
 *
 * Return: an enum sb_tar_type, or -1 if we don't know it
 */
int sb_header_type(char flag)
{
	switch (flag) {
	case '0':
	case '\0':
	case '7': /* contiguous: a hint that systems treat as a plain file */
	case 'S': /* sparse, see sparse.c */
		return SB_TAR_FILE;
	case '1':
		return SB_TAR_HARDLINK;
	case '2':
		return SB_TAR_SYMLINK;
	case '3':
		return SB_TAR_CHAR;
	case '4':
		return SB_TAR_BLOCK;
	case '5':
		return SB_TAR_DIR;
	case '6':
		return SB_TAR_FIFO;
	default:
		return -1;
	}
}
