/* SPDX-License-Identifier: Apache-2.0 */
/* test_image_inflate.c - gzip is read in whatever pieces it comes, and broken gzip is noticed */
#include "images/inflate.h"

#include "tests/unit/unit.h"

#include "images/source.h"
#include "runtime/base/err.h"

/* gzip -n of "hello\n", RFC 1952; the CRC is the byte at 14 */
static const unsigned char hello[] = { 0x1f, 0x8b, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
				       0x03, 0xcb, 0x48, 0xcd, 0xc9, 0xc9, 0xe7, 0x02, 0x00,
				       0x20, 0x30, 0x3a, 0x36, 0x06, 0x00, 0x00, 0x00 };

#define HELLO sizeof(hello)

/* Decompress @data that comes in pieces of @piece bytes into @out, @step bytes at a time. */
static ssize_t inflate_all(const void *data, size_t len, size_t piece, size_t step, char *out)
{
	struct sb_err err = SB_ERR_INIT;
	struct sb_mem_source from;
	struct sb_inflate *z;
	size_t total = 0;
	ssize_t n;

	sb_source_from_memory(&from, data, len, piece);
	z = sb_inflate_new(&from.base, &err);
	assert_non_null(z);
	while ((n = sb_inflate_read(z, (uint8_t *)out + total, step, &err)) > 0)
		total += (size_t)n;
	sb_inflate_free(z);
	return n < 0 ? n : (ssize_t)total;
}

static void members_follow_each_other(void **state)
{
	unsigned char three[3 * HELLO + 5] = { 0 };

	(void)state;
	for (size_t i = 0; i < 3; i++)
		memcpy(three + i * HELLO, hello, HELLO);
	for (size_t piece = 1; piece <= sizeof(three); piece++) {
		for (size_t step = 1; step < 20; step++) {
			char out[64] = "";

			assert_int_equal(inflate_all(three, sizeof(three), piece, step, out), 18);
			assert_string_equal(out, "hello\nhello\nhello\n");
		}
	}
}

static void a_cut_stream_is_noticed(void **state)
{
	char out[64];

	(void)state;
	for (size_t len = 0; len < HELLO; len++)
		for (size_t piece = 1; piece <= HELLO; piece++)
			assert_int_equal(inflate_all(hello, len, piece, 20, out), -EPROTO);
}

static void a_wrong_byte_is_noticed(void **state)
{
	char out[64];

	(void)state;
	for (size_t i = 0; i < HELLO; i++) {
		unsigned char bad[HELLO];

		/* Not covered by the CRC: flags, time and system in the header, and the bits that
		 * fill the last byte of the deflate stream. */
		if ((i >= 3 && i < 10) || i == 17)
			continue;
		memcpy(bad, hello, HELLO);
		bad[i] ^= 0x10;
		assert_int_equal(inflate_all(bad, HELLO, 7, 20, out), -EPROTO);
	}
}

static void only_zeros_may_follow(void **state)
{
	unsigned char more[HELLO + 4] = { 0 };
	char out[64];

	(void)state;
	memcpy(more, hello, HELLO);
	assert_int_equal(inflate_all(more, sizeof(more), 3, 20, out), 6);
	more[HELLO + 3] = 'x';
	assert_int_equal(inflate_all(more, sizeof(more), 3, 20, out), -EPROTO);
	more[HELLO] = 'x';
	assert_int_equal(inflate_all(more, sizeof(more), 3, 20, out), -EPROTO);
	assert_int_equal(inflate_all("plain text", 10, 3, 20, out), -EPROTO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(members_follow_each_other),
		cmocka_unit_test(a_cut_stream_is_noticed),
		cmocka_unit_test(a_wrong_byte_is_noticed),
		cmocka_unit_test(only_zeros_may_follow),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
