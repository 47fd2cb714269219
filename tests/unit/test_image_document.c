/* SPDX-License-Identifier: Apache-2.0 */
/* test_image_document.c - JSON of strangers costs little and means the same to everybody */
#include "images/document.h"

#include "tests/unit/unit.h"

#include "runtime/base/cleanup.h"
#include "runtime/base/err.h"
#include "runtime/base/json.h"

static int parse(const char *text, size_t len)
{
	_cleanup_json_ json_t *v = NULL;
	struct sb_err err = SB_ERR_INIT;

	return sb_document_parse(text, len, &v, &err);
}

static void small_values_without_number_are_refused(void **state)
{
	static char text[1 << 20];

	(void)state;
	for (size_t i = 0; i < sizeof(text); i += 2)
		memcpy(text + i, "1,", 2);
	text[0] = '[';
	text[sizeof(text) - 2] = '1';
	text[sizeof(text) - 1] = ']';
	memcpy(text + 1, "1", 1);
	assert_int_equal(parse(text, sizeof(text)), -EPROTO);
}

static void what_stands_in_a_string_is_one_value(void **state)
{
	static char text[1 << 20];

	(void)state;
	memset(text, ',', sizeof(text));
	memcpy(text, "[\"\\\"[{", 6);
	memcpy(text + sizeof(text) - 4, "\\\\\"]", 4);
	assert_int_equal(parse(text, sizeof(text)), 0);
}

static void a_known_key_in_another_case_is_refused(void **state)
{
	static const char *const keys[] = { "layers", "mediaType" };
	const char *const texts[] = { "{\"layers\":1,\"mediaType\":2,\"other\":3}",
				      "{\"Layers\":1}", "{\"layers\":1,\"MEDIATYPE\":2}" };

	(void)state;
	for (size_t i = 0; i < SB_ARRAY_SIZE(texts); i++) {
		_cleanup_json_ json_t *v = json_loads(texts[i], 0, NULL);
		struct sb_err err = SB_ERR_INIT;

		assert_non_null(v);
		assert_int_equal(sb_document_check_keys(v, keys, SB_ARRAY_SIZE(keys), &err),
				 i == 0 ? 0 : -EPROTO);
	}
}

static void what_is_no_object_has_no_keys(void **state)
{
	static const char *const keys[] = { "layers" };
	_cleanup_json_ json_t *list = json_loads("[\"Layers\"]", 0, NULL);
	struct sb_err err = SB_ERR_INIT;

	(void)state;
	assert_int_equal(sb_document_check_keys(list, keys, 1, &err), 0);
	assert_int_equal(sb_document_check_keys(NULL, keys, 1, &err), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(small_values_without_number_are_refused),
		cmocka_unit_test(what_stands_in_a_string_is_one_value),
		cmocka_unit_test(a_known_key_in_another_case_is_refused),
		cmocka_unit_test(what_is_no_object_has_no_keys),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
