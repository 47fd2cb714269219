/* SPDX-License-Identifier: Apache-2.0 */
/* test_json.c - JSON that others wrote, and ours */
#include "runtime/base/json.h"

#include "tests/unit/unit.h"

#include "runtime/base/err.h"
#include "runtime/base/path.h"
#include "runtime/base/str.h"

static json_t *parse(const char *text)
{
	struct sb_err err = SB_ERR_INIT;
	json_t *v = NULL;

	assert_int_equal(sb_json_parse(text, strlen(text), &v, &err), 0);
	return v;
}

static void broken_json_is_refused_with_its_place(void **state)
{
	struct sb_err err = SB_ERR_INIT;
	json_t *v = NULL;

	(void)state;
	assert_int_equal(sb_json_parse("{\n\"a\":", 6, &v, &err), -EPROTO);
	assert_non_null(strstr(err.msg, "line 2"));
	assert_null(v);
}

static void duplicate_keys_are_refused(void **state)
{
	struct sb_err err = SB_ERR_INIT;
	const char *text = "{\"a\":1,\"a\":2}";
	json_t *v = NULL;

	(void)state;
	assert_int_equal(sb_json_parse(text, strlen(text), &v, &err), -EPROTO);
}

static void a_string_with_a_nul_inside_is_refused(void **state)
{
	struct sb_err err = SB_ERR_INIT;
	const char *text = "{\"a\":\"/bin\\u0000/x\"}";
	json_t *v = NULL;

	(void)state;
	assert_int_equal(sb_json_parse(text, strlen(text), &v, &err), -EPROTO);
}

static void nesting_without_end_is_refused(void **state)
{
	struct sb_err err = SB_ERR_INIT;
	static char deep[1 << 20];
	json_t *v = NULL;

	(void)state;
	memset(deep, '[', sizeof(deep));
	assert_int_equal(sb_json_parse(deep, sizeof(deep), &v, &err), -EPROTO);
}

static void a_getter_names_the_key_of_a_wrong_type(void **state)
{
	_cleanup_json_ json_t *v = parse("{\"s\":1,\"n\":\"x\",\"b\":0,\"l\":[1]}");
	struct sb_strv list = SB_STRV_INIT;
	struct sb_err err = SB_ERR_INIT;
	const char *s = "kept";
	int64_t n = 5;
	int b = 1;

	(void)state;
	assert_int_equal(sb_json_get_str(v, "s", &s, &err), -EPROTO);
	assert_string_equal(err.msg, "'s' is not a string");
	assert_int_equal(sb_json_get_int(v, "n", &n, &err), -EPROTO);
	assert_int_equal(sb_json_get_bool(v, "b", &b, &err), -EPROTO);
	assert_int_equal(sb_json_get_strv(v, "l", &list, &err), -EPROTO);
	assert_string_equal(s, "kept");
	assert_int_equal(n, 5);
	assert_int_equal(b, 1);
}

static void a_missing_or_null_key_keeps_the_default_unless_it_is_needed(void **state)
{
	_cleanup_json_ json_t *v = parse("{\"a\":null}");
	struct sb_err err = SB_ERR_INIT;
	const char *s = "default";

	(void)state;
	assert_int_equal(sb_json_get_str(v, "a", &s, &err), 0);
	assert_int_equal(sb_json_get_str(v, "b", &s, &err), 0);
	assert_string_equal(s, "default");
	assert_int_equal(sb_json_need_str(v, "a", &s, &err), -EPROTO);
	assert_string_equal(err.msg, "'a' is missing");
}

static void a_list_of_strings_survives_the_way_there_and_back(void **state)
{
	_cleanup_json_ json_t *v = parse("{\"l\":[\"a\",\"\",\"b c\"]}");
	struct sb_strv list = SB_STRV_INIT;
	struct sb_err err = SB_ERR_INIT;
	_cleanup_json_ json_t *back = NULL;

	(void)state;
	assert_int_equal(sb_json_get_strv(v, "l", &list, &err), 0);
	back = sb_json_from_strv(&list);
	assert_true(json_equal(json_object_get(v, "l"), back));
	sb_strv_done(&list);
}

static void a_saved_file_loads_again_and_a_larger_one_is_refused(void **state)
{
	_cleanup_json_ json_t *v = parse("{\"a\":[1,2,3]}");
	_cleanup_json_ json_t *back = NULL;
	struct sb_err err = SB_ERR_INIT;
	json_t *none = NULL;
	char path[32];
	int dir = unit_tmpdir(path);

	(void)state;
	assert_int_equal(sb_json_save_at(dir, "state.json", v, &err), 0);
	assert_int_equal(sb_json_load_at(dir, "state.json", 4096, &back, &err), 0);
	assert_true(json_equal(v, back));
	assert_int_equal(sb_json_load_at(dir, "state.json", 3, &none, &err), -EFBIG);
	assert_int_equal(sb_json_load_at(dir, "other.json", 3, &none, &err), -ENOENT);
	close(dir);
	assert_int_equal(sb_remove_tree_at(AT_FDCWD, path), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(broken_json_is_refused_with_its_place),
		cmocka_unit_test(duplicate_keys_are_refused),
		cmocka_unit_test(a_string_with_a_nul_inside_is_refused),
		cmocka_unit_test(nesting_without_end_is_refused),
		cmocka_unit_test(a_getter_names_the_key_of_a_wrong_type),
		cmocka_unit_test(a_missing_or_null_key_keeps_the_default_unless_it_is_needed),
		cmocka_unit_test(a_list_of_strings_survives_the_way_there_and_back),
		cmocka_unit_test(a_saved_file_loads_again_and_a_larger_one_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
