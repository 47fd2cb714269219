/* SPDX-License-Identifier: Apache-2.0 */
/* test_str.c - lists of strings */
#include "runtime/base/str.h"

#include "tests/unit/unit.h"

#include "runtime/base/cleanup.h"
#include "runtime/base/err.h"

static void a_list_ends_with_null_and_owns_its_strings(void **state)
{
	struct sb_strv list = SB_STRV_INIT;
	struct sb_err err = SB_ERR_INIT;
	char word[] = "one";

	(void)state;
	assert_int_equal(sb_strv_add(&list, word, &err), 0);
	assert_int_equal(sb_strv_add(&list, "two", &err), 0);
	word[0] = 'X';
	assert_int_equal(list.n, 2);
	assert_string_equal(list.v[0], "one");
	assert_string_equal(list.v[1], "two");
	assert_null(list.v[2]);
	sb_strv_done(&list);
	assert_int_equal(list.n, 0);
	assert_null(list.v);
}

static void the_last_assignment_of_a_variable_wins_and_keeps_its_place(void **state)
{
	struct sb_strv env = SB_STRV_INIT;
	struct sb_err err = SB_ERR_INIT;

	(void)state;
	assert_int_equal(sb_strv_set_env(&env, "AB=2", &err), 0);
	assert_int_equal(sb_strv_set_env(&env, "A=1", &err), 0);
	assert_int_equal(sb_strv_set_env(&env, "B=5", &err), 0);
	assert_int_equal(sb_strv_set_env(&env, "A=3=4", &err), 0);
	assert_int_equal(env.n, 3);
	assert_string_equal(env.v[1], "A=3=4");
	assert_string_equal(sb_strv_get_env(&env, "A"), "3=4");
	assert_string_equal(sb_strv_get_env(&env, "AB"), "2");
	assert_null(sb_strv_get_env(&env, "C"));
	sb_strv_done(&env);
}

static void an_assignment_without_a_name_or_equals_sign_is_refused(void **state)
{
	struct sb_strv env = SB_STRV_INIT;
	struct sb_err err = SB_ERR_INIT;

	(void)state;
	assert_int_equal(sb_strv_set_env(&env, "HOME", &err), -EINVAL);
	assert_int_equal(sb_strv_set_env(&env, "=x", &err), -EINVAL);
	assert_int_equal(sb_strv_set_env(&env, "", &err), -EINVAL);
	assert_int_equal(env.n, 0);
	sb_strv_done(&env);
}

static void a_sorted_list_finds_what_it_has_and_nothing_else(void **state)
{
	static const char *const words[] = { "b", "a", "c", "ab" };
	struct sb_strv list = SB_STRV_INIT;
	struct sb_err err = SB_ERR_INIT;

	(void)state;
	sb_strv_sort(&list);
	assert_false(sb_strv_has_sorted(&list, "a"));
	for (size_t i = 0; i < SB_ARRAY_SIZE(words); i++)
		assert_int_equal(sb_strv_add(&list, words[i], &err), 0);
	sb_strv_sort(&list);
	assert_string_equal(list.v[1], "ab");
	assert_null(list.v[4]);
	for (size_t i = 0; i < SB_ARRAY_SIZE(words); i++)
		assert_true(sb_strv_has_sorted(&list, words[i]));
	assert_false(sb_strv_has_sorted(&list, "bb"));
	assert_false(sb_strv_has_sorted(&list, ""));
	sb_strv_done(&list);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_list_ends_with_null_and_owns_its_strings),
		cmocka_unit_test(the_last_assignment_of_a_variable_wins_and_keeps_its_place),
		cmocka_unit_test(an_assignment_without_a_name_or_equals_sign_is_refused),
		cmocka_unit_test(a_sorted_list_finds_what_it_has_and_nothing_else),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
