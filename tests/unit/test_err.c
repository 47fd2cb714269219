/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_err.c - the promises of the error object
 */
#include "runtime/base/err.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void set_returns_negative_errno_and_formats_the_message(void **state)
{
	struct sb_err err = SB_ERR_INIT;

	(void)state;
	assert_int_equal(sb_err_set(&err, ENOENT, "open '%s'", "x"), -ENOENT);
	assert_int_equal(err.code, ENOENT);
	assert_string_equal(err.msg, "open 'x'");
}

static void code_zero_never_reads_as_success(void **state)
{
	struct sb_err err = SB_ERR_INIT;

	(void)state;
	assert_true(sb_err_set(&err, 0, "odd") < 0);
	assert_true(err.code > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(set_returns_negative_errno_and_formats_the_message),
		cmocka_unit_test(code_zero_never_reads_as_success),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
