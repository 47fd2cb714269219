/* SPDX-License-Identifier: Apache-2.0 */
/* test_err.c - the promises of the error object */
#include "runtime/base/err.h"

#include "tests/unit/unit.h"

static void set_returns_the_negative_code_and_formats_the_message(void **state)
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
	assert_int_equal(sb_err_set(&err, 0, "odd"), -EIO);
	assert_int_equal(err.code, EIO);
}

static void set_preserves_errno_and_drops_an_older_hint(void **state)
{
	struct sb_err err = SB_ERR_INIT;

	(void)state;
	sb_err_set(&err, ENOENT, "first");
	sb_err_hint(&err, "install it");
	errno = EAGAIN;
	sb_err_set(&err, EPERM, "second");
	assert_int_equal(errno, EAGAIN);
	assert_string_equal(err.hint, "");
}

static void prefix_puts_the_context_first(void **state)
{
	struct sb_err err = SB_ERR_INIT;

	(void)state;
	sb_err_set(&err, EPERM, "mount 'proc'");
	assert_int_equal(sb_err_prefix(&err, "create '%s'", "web"), -EPERM);
	assert_string_equal(err.msg, "create 'web': mount 'proc'");
}

static void messages_longer_than_the_object_are_cut_not_overrun(void **state)
{
	struct sb_err err = SB_ERR_INIT;
	char longer[3 * SB_ERR_MSG_MAX];

	(void)state;
	memset(longer, 'x', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	sb_err_set(&err, EPERM, "%s", longer);
	assert_int_equal(strlen(err.msg), SB_ERR_MSG_MAX - 1);
	sb_err_prefix(&err, "%s", longer);
	sb_err_hint(&err, "%s", longer);
	assert_int_equal(strlen(err.msg), SB_ERR_MSG_MAX - 1);
	assert_int_equal(strlen(err.hint), SB_ERR_HINT_MAX - 1);
	assert_int_equal(err.code, EPERM);
}

static void text_is_message_errno_and_hint_on_one_line(void **state)
{
	struct sb_err err = SB_ERR_INIT;
	char buf[512], small[8];

	(void)state;
	sb_err_set(&err, ENOENT, "open 'x'");
	sb_err_hint(&err, "pull it first");
	assert_string_equal(sb_err_text(&err, buf, sizeof(buf)),
			    "open 'x': No such file or directory (pull it first)");
	assert_string_equal(sb_err_text(&err, small, sizeof(small)), "open 'x");
}

static void text_of_a_refused_value_has_no_errno_words(void **state)
{
	struct sb_err err = SB_ERR_INIT;
	char buf[512];

	(void)state;
	assert_int_equal(sb_err_refuse(&err, EINVAL, "'abc' is not a port"), -EINVAL);
	assert_string_equal(sb_err_text(&err, buf, sizeof(buf)), "'abc' is not a port");
	sb_err_set(&err, EINVAL, "mount 'x'");
	assert_string_equal(sb_err_text(&err, buf, sizeof(buf)), "mount 'x': Invalid argument");
}

static void text_cannot_steer_the_terminal(void **state)
{
	struct sb_err err = SB_ERR_INIT;
	char buf[512];

	(void)state;
	sb_err_refuse(&err, EINVAL, "user '\033[2Jx\n'");
	assert_string_equal(sb_err_text(&err, buf, sizeof(buf)), "user '?[2Jx?'");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(set_returns_the_negative_code_and_formats_the_message),
		cmocka_unit_test(code_zero_never_reads_as_success),
		cmocka_unit_test(set_preserves_errno_and_drops_an_older_hint),
		cmocka_unit_test(prefix_puts_the_context_first),
		cmocka_unit_test(messages_longer_than_the_object_are_cut_not_overrun),
		cmocka_unit_test(text_is_message_errno_and_hint_on_one_line),
		cmocka_unit_test(text_of_a_refused_value_has_no_errno_words),
		cmocka_unit_test(text_cannot_steer_the_terminal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
