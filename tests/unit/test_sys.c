/* SPDX-License-Identifier: Apache-2.0 */
/* test_sys.c - times as text */
#include "runtime/base/sys.h"

#include "tests/unit/unit.h"

#include <time.h>

static void times_are_those_of_the_c_library(void **state)
{
	char ours[SB_TIME_LEN], theirs[32];
	struct tm tm;

	(void)state;
	/* Every 13 hours and some from 1970 to 2170: all months, leap years, 2000 and 2100. */
	for (time_t t = 0; t < 6311433600; t += 46813) {
		gmtime_r(&t, &tm);
		assert_int_equal(strftime(theirs, sizeof(theirs), "%Y-%m-%dT%H:%M:%S.007Z", &tm),
				 24);
		assert_string_equal(sb_time_format((int64_t)t * 1000 + 7, ours), theirs);
	}
}

static void the_last_second_before_a_leap_day_is_right(void **state)
{
	char buf[SB_TIME_LEN];

	(void)state;
	assert_string_equal(sb_time_format(1709164799999, buf), "2024-02-28T23:59:59.999Z");
	assert_string_equal(sb_time_format(1709164800000, buf), "2024-02-29T00:00:00.000Z");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(times_are_those_of_the_c_library),
		cmocka_unit_test(the_last_second_before_a_leap_day_is_right),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
