/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_json.c - any bytes as JSON, and every getter on what they mean */
#include "runtime/base/json.h"

#include <stdint.h>

#include "runtime/base/err.h"
#include "runtime/base/str.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const keys[] = { "a", "args", "env", "" };
	struct sb_err err = SB_ERR_INIT;
	_cleanup_json_ json_t *value = NULL;

	if (sb_json_parse((const char *)data, size, &value, &err) < 0)
		return 0;
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		struct sb_strv list = SB_STRV_INIT;
		const char *text = NULL;
		int64_t number = 0;
		int flag = 0;

		(void)sb_json_get_str(value, keys[i], &text, &err);
		(void)sb_json_need_str(value, keys[i], &text, &err);
		(void)sb_json_get_int(value, keys[i], &number, &err);
		(void)sb_json_get_bool(value, keys[i], &flag, &err);
		if (sb_json_get_strv(value, keys[i], &list, &err) == 0 && list.n)
			json_decref(sb_json_from_strv(&list));
		sb_strv_done(&list);
	}
	return 0;
}
