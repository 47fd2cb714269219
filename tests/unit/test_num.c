/* SPDX-License-Identifier: Apache-2.0 */
/* test_num.c - numbers given by users: the whole word or nothing */
#include "runtime/base/num.h"

#include "tests/unit/unit.h"

#include <signal.h>

#include "runtime/base/cleanup.h"

static void numbers_are_decimal_words_up_to_the_limit(void **state)
{
	uint64_t n = 7;

	(void)state;
	assert_int_equal(sb_parse_u64("0", 9, &n), 0);
	assert_int_equal(n, 0);
	assert_int_equal(sb_parse_u64("18446744073709551615", UINT64_MAX, &n), 0);
	assert_true(n == UINT64_MAX);
	assert_int_equal(sb_parse_u64("18446744073709551616", UINT64_MAX, &n), -ERANGE);
	assert_int_equal(sb_parse_u64("10", 9, &n), -ERANGE);
}

static void whatever_is_not_a_number_is_refused_and_the_result_kept(void **state)
{
	static const char *const bad[] = {
		"", " 1", "1 ", "-1", "+1", "0x10", "1.0", "abc", "1\n"
	};
	uint64_t n = 7;

	(void)state;
	for (size_t i = 0; i < SB_ARRAY_SIZE(bad); i++)
		assert_int_equal(sb_parse_u64(bad[i], UINT64_MAX, &n), -EINVAL);
	assert_int_equal(n, 7);
}

static void sizes_take_units_of_1024(void **state)
{
	static const struct {
		const char *word;
		uint64_t bytes;
	} good[] = { { "0", 0 },           { "5b", 5 },
		     { "1k", 1024 },       { "512M", 512ULL << 20 },
		     { "2g", 2ULL << 30 }, { "1T", 1ULL << 40 },
		     { "4kb", 4096 },      { "4KiB", 4096 } };
	uint64_t n;

	(void)state;
	for (size_t i = 0; i < SB_ARRAY_SIZE(good); i++) {
		assert_int_equal(sb_parse_size(good[i].word, &n), 0);
		assert_true(n == good[i].bytes);
	}
}

static void sizes_that_overflow_or_carry_other_units_are_refused(void **state)
{
	uint64_t n;

	(void)state;
	assert_int_equal(sb_parse_size("16777216t", &n), -ERANGE);
	assert_int_equal(sb_parse_size("1x", &n), -EINVAL);
	assert_int_equal(sb_parse_size("1bb", &n), -EINVAL);
	assert_int_equal(sb_parse_size("1kk", &n), -EINVAL);
	assert_int_equal(sb_parse_size("1.5g", &n), -EINVAL);
	assert_int_equal(sb_parse_size("g", &n), -EINVAL);
}

static void durations_add_up_and_default_to_seconds(void **state)
{
	static const struct {
		const char *word;
		uint64_t ms;
	} good[] = { { "30", 30000 },   { "0", 0 },           { "1500ms", 1500 },
		     { "10m", 600000 }, { "1h30m", 5400000 }, { "1d", 86400000 } };
	uint64_t n;

	(void)state;
	for (size_t i = 0; i < SB_ARRAY_SIZE(good); i++) {
		assert_int_equal(sb_parse_duration(good[i].word, &n), 0);
		assert_true(n == good[i].ms);
	}
	assert_int_equal(sb_parse_duration("1h30", &n), -EINVAL);
	assert_int_equal(sb_parse_duration("5w", &n), -EINVAL);
	assert_int_equal(sb_parse_duration("-5s", &n), -EINVAL);
	assert_int_equal(sb_parse_duration("", &n), -EINVAL);
	assert_int_equal(sb_parse_duration("99999999d", &n), -ERANGE);
	assert_int_equal(sb_parse_duration("3660d1ms", &n), -ERANGE);
}

static void ports_are_1_to_65535(void **state)
{
	uint16_t port;

	(void)state;
	assert_int_equal(sb_parse_port("1", &port), 0);
	assert_int_equal(sb_parse_port("65535", &port), 0);
	assert_int_equal(port, 65535);
	assert_int_equal(sb_parse_port("0", &port), -ERANGE);
	assert_int_equal(sb_parse_port("65536", &port), -ERANGE);
	assert_int_equal(sb_parse_port("-1", &port), -EINVAL);
	assert_int_equal(sb_parse_port("abc", &port), -EINVAL);
}

static void cpus_are_thousandths_and_not_less_than_a_hundredth(void **state)
{
	uint32_t milli;

	(void)state;
	assert_int_equal(sb_parse_cpus("2", &milli), 0);
	assert_int_equal(milli, 2000);
	assert_int_equal(sb_parse_cpus("1.5", &milli), 0);
	assert_int_equal(milli, 1500);
	assert_int_equal(sb_parse_cpus("0.01", &milli), 0);
	assert_int_equal(milli, 10);
	assert_int_equal(sb_parse_cpus("0.009", &milli), -ERANGE);
	assert_int_equal(sb_parse_cpus("0", &milli), -ERANGE);
	assert_int_equal(sb_parse_cpus("1.", &milli), -EINVAL);
	assert_int_equal(sb_parse_cpus(".5", &milli), -EINVAL);
	assert_int_equal(sb_parse_cpus("1.2345", &milli), -EINVAL);
}

static void signals_go_by_number_or_name(void **state)
{
	static const struct {
		const char *word;
		int sig;
	} good[] = { { "9", SIGKILL },
		     { "KILL", SIGKILL },
		     { "sigterm", SIGTERM },
		     { "SIGUSR1", SIGUSR1 } };
	int sig;

	(void)state;
	for (size_t i = 0; i < SB_ARRAY_SIZE(good); i++) {
		assert_int_equal(sb_parse_signal(good[i].word, &sig), 0);
		assert_int_equal(sig, good[i].sig);
	}
	assert_int_equal(sb_parse_signal("RTMIN+3", &sig), 0);
	assert_int_equal(sig, SIGRTMIN + 3);
	assert_int_equal(sb_parse_signal("0", &sig), -EINVAL);
	assert_int_equal(sb_parse_signal("65", &sig), -EINVAL);
	assert_int_equal(sb_parse_signal("SIGNOPE", &sig), -EINVAL);
	assert_int_equal(sb_parse_signal("", &sig), -EINVAL);
}

static void a_number_within_a_name_needs_the_whole_form(void **state)
{
	uint64_t n = 7;

	(void)state;
	assert_int_equal(sb_parse_within("exec-12", "exec-", "", &n), 0);
	assert_int_equal(n, 12);
	assert_int_equal(sb_parse_within("socket:[99]", "socket:[", "]", &n), 0);
	assert_int_equal(n, 99);
	assert_int_equal(sb_parse_within("exec-", "exec-", "", &n), -EINVAL);
	assert_int_equal(sb_parse_within("exec-1x", "exec-", "", &n), -EINVAL);
	assert_int_equal(sb_parse_within("12.json.tmp", "", ".json", &n), -EINVAL);
	assert_int_equal(sb_parse_within("99999999999", "", "", &n), -ERANGE);
	assert_int_equal(n, 99);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers_are_decimal_words_up_to_the_limit),
		cmocka_unit_test(whatever_is_not_a_number_is_refused_and_the_result_kept),
		cmocka_unit_test(sizes_take_units_of_1024),
		cmocka_unit_test(sizes_that_overflow_or_carry_other_units_are_refused),
		cmocka_unit_test(durations_add_up_and_default_to_seconds),
		cmocka_unit_test(ports_are_1_to_65535),
		cmocka_unit_test(cpus_are_thousandths_and_not_less_than_a_hundredth),
		cmocka_unit_test(signals_go_by_number_or_name),
		cmocka_unit_test(a_number_within_a_name_needs_the_whole_form),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
