/* SPDX-License-Identifier: Apache-2.0 */
/* test_image_decoder.c - gzip and zstd are read in whatever pieces they come, and broken data is
 * noticed */
#include "images/decoder.h"

#include "tests/unit/unit.h"

#include "images/source.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/err.h"

/* gzip -n of "hello\n", RFC 1952; the CRC is the byte at 14 */
static const unsigned char hello[] = { 0x1f, 0x8b, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
				       0x03, 0xcb, 0x48, 0xcd, 0xc9, 0xc9, 0xe7, 0x02, 0x00,
				       0x20, 0x30, 0x3a, 0x36, 0x06, 0x00, 0x00, 0x00 };

#define HELLO sizeof(hello)

/* zstd of the same, RFC 8878: one frame with a checksum in its last four bytes */
static const unsigned char zstd_hello[] = { 0x28, 0xb5, 0x2f, 0xfd, 0x04, 0x58, 0x31,
					    0x00, 0x00, 0x68, 0x65, 0x6c, 0x6c, 0x6f,
					    0x0a, 0x53, 0x88, 0xbd, 0x91 };
/* A skippable frame of three bytes, section 3.1.2 */
static const unsigned char skippable[] = { 0x5a, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 'a', 'b', 'c' };

#define ZSTD_HELLO sizeof(zstd_hello)

/* Decompress @data that comes in pieces of @piece bytes into @out, @step bytes at a time. */
static ssize_t decode_all(enum sb_format format, const void *data, size_t len, size_t piece,
			  size_t step, char *out)
{
	struct sb_err err = SB_ERR_INIT;
	struct sb_mem_source from;
	struct sb_decoder *z;
	size_t total = 0;
	ssize_t n;

	sb_source_from_memory(&from, data, len, piece);
	z = sb_decoder_new(format, &from.base, &err);
	assert_non_null(z);
	while ((n = sb_decoder_read(z, (uint8_t *)out + total, step, &err)) > 0)
		total += (size_t)n;
	sb_decoder_free(z);
	return n < 0 ? n : (ssize_t)total;
}

static ssize_t inflate_all(const void *data, size_t len, size_t piece, size_t step, char *out)
{
	return decode_all(SB_FORMAT_GZIP, data, len, piece, step, out);
}

static ssize_t unzstd_all(const void *data, size_t len, size_t piece, size_t step, char *out)
{
	return decode_all(SB_FORMAT_ZSTD, data, len, piece, step, out);
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

static void frames_follow_each_other(void **state)
{
	unsigned char all[2 * ZSTD_HELLO + 2 * sizeof(skippable)];
	size_t n = 0;

	(void)state;
	memcpy(all, skippable, sizeof(skippable));
	n += sizeof(skippable);
	memcpy(all + n, zstd_hello, ZSTD_HELLO);
	n += ZSTD_HELLO;
	memcpy(all + n, skippable, sizeof(skippable));
	n += sizeof(skippable);
	memcpy(all + n, zstd_hello, ZSTD_HELLO);
	for (size_t piece = 1; piece <= sizeof(all); piece++) {
		for (size_t step = 1; step < 14; step++) {
			char out[64] = "";

			assert_int_equal(unzstd_all(all, sizeof(all), piece, step, out), 12);
			assert_string_equal(out, "hello\nhello\n");
		}
	}
}

static void broken_zstd_is_noticed(void **state)
{
	unsigned char bad[ZSTD_HELLO + 1];
	char out[64];

	(void)state;
	for (size_t len = 0; len < ZSTD_HELLO; len++)
		for (size_t piece = 1; piece <= ZSTD_HELLO; piece++)
			assert_int_equal(unzstd_all(zstd_hello, len, piece, 20, out), -EPROTO);
	for (size_t i = 0; i < ZSTD_HELLO; i++) {
		memcpy(bad, zstd_hello, ZSTD_HELLO);
		bad[i] ^= 0x04;
		if (i != 5) /* the window, which this frame does not need */
			assert_int_equal(unzstd_all(bad, ZSTD_HELLO, 7, 20, out), -EPROTO);
	}
	memcpy(bad, zstd_hello, ZSTD_HELLO);
	bad[ZSTD_HELLO] = 'x';
	assert_int_equal(unzstd_all(bad, sizeof(bad), 7, 20, out), -EPROTO);
}

static void a_window_of_more_than_128_mib_is_refused(void **state)
{
	unsigned char huge[ZSTD_HELLO];
	char out[64];

	(void)state;
	/* Section 3.1.1.1.2: the exponent is in the upper five bits, 10 is added to it. */
	memcpy(huge, zstd_hello, ZSTD_HELLO);
	huge[5] = 17 << 3;
	assert_int_equal(unzstd_all(huge, ZSTD_HELLO, 7, 20, out), 6);
	huge[5] = 18 << 3;
	assert_int_equal(unzstd_all(huge, ZSTD_HELLO, 7, 20, out), -EPROTO);
}

static void the_data_tells_its_format(void **state)
{
	static const struct {
		const void *data;
		size_t len;
		enum sb_format format;
	} rows[] = {
		{ hello, HELLO, SB_FORMAT_GZIP },
		{ zstd_hello, ZSTD_HELLO, SB_FORMAT_ZSTD },
		{ skippable, sizeof(skippable), SB_FORMAT_ZSTD },
		{ "plain", 5, SB_FORMAT_PLAIN },
		{ "\x1f", 1, SB_FORMAT_PLAIN },
		{ "", 0, SB_FORMAT_PLAIN },
	};
	char path[32];
	int dir = unit_tmpdir(path);
	struct sb_err err = SB_ERR_INIT;

	(void)state;
	for (size_t i = 0; i < SB_ARRAY_SIZE(rows); i++) {
		int fd = openat(dir, "f", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
		struct sb_file_source from;
		enum sb_format format = SB_FORMAT_PLAIN;

		assert_int_equal(write(fd, "..", 2), 2);
		assert_int_equal(write(fd, rows[i].data, rows[i].len), rows[i].len);
		sb_source_from_file(&from, fd, 2, rows[i].len);
		assert_int_equal(sb_decoder_sniff(&from, &format, &err), 0);
		assert_int_equal(format, rows[i].format);
		assert_int_equal(from.offset, 2);
		close(fd);
	}
	assert_int_equal(unlinkat(dir, "f", 0), 0);
	close(dir);
	assert_int_equal(rmdir(path), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(members_follow_each_other),
		cmocka_unit_test(a_cut_stream_is_noticed),
		cmocka_unit_test(a_wrong_byte_is_noticed),
		cmocka_unit_test(only_zeros_may_follow),
		cmocka_unit_test(frames_follow_each_other),
		cmocka_unit_test(broken_zstd_is_noticed),
		cmocka_unit_test(a_window_of_more_than_128_mib_is_refused),
		cmocka_unit_test(the_data_tells_its_format),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
