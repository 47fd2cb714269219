/* SPDX-License-Identifier: Apache-2.0 */
/* json.c - bounded reading and atomic writing of JSON, on top of jansson */
#include "runtime/base/json.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/str.h"

/**
 * sb_json_parse() - Parse a JSON text
 * @text:	bytes, need no NUL
 * @len:	how many
 * @ret:	the value; the caller drops it with json_decref()
 *
 * Duplicate keys are refused: parsers disagree on which one counts (CVE-2021-41190). jansson limits
 * the depth to 2,048.
 *
 * Return: 0, or -EPROTO with the place in the message
 */
int sb_json_parse(const char *text, size_t len, json_t **ret, struct sb_err *err)
{
	json_error_t e;
	json_t *v = json_loadb(text, len, JSON_REJECT_DUPLICATES, &e);

	if (!v)
		return sb_err_refuse(err, EPROTO, "not JSON: %s at line %d", e.text, e.line);
	*ret = v;
	return 0;
}

/**
 * sb_json_load_at() - Read a JSON file
 * @dirfd:	directory
 * @name:	path below it
 * @max:	most bytes it may have
 * @ret:	the value; the caller drops it
 *
 * Return: 0, or a negative errno value (-ENOENT: not there, -EPROTO: not JSON)
 */
int sb_json_load_at(int dirfd, const char *name, size_t max, json_t **ret, struct sb_err *err)
{
	_cleanup_free_ char *text = NULL;
	size_t len;

	if (sb_read_at(dirfd, name, max, &text, &len, err) < 0)
		return -err->code;
	if (sb_json_parse(text, len, ret, err) < 0)
		return sb_err_prefix(err, "'%s'", name);
	return 0;
}

/**
 * sb_json_save_at() - Write a JSON file, mode 0600, replacing it at once
 * @dirfd:	directory
 * @name:	name in it
 * @value:	what to write; borrowed
 *
 * Return: 0, or a negative errno value with the old file kept
 */
int sb_json_save_at(int dirfd, const char *name, const json_t *value, struct sb_err *err)
{
	_cleanup_free_ char *text = json_dumps(value, JSON_INDENT(1));

	if (!text)
		return sb_err_set(err, ENOMEM, "write '%s'", name);
	return sb_replace_at(dirfd, name, 0600, text, strlen(text), err);
}

/**
 * sb_json_get_str() - A string that may be missing
 * @obj:	object
 * @key:	its key
 * @ret:	borrowed from @obj; untouched if the key is missing or null
 *
 * Return: 0, or -EPROTO if there is something else, or a string with a NUL inside
 */
int sb_json_get_str(const json_t *obj, const char *key, const char **ret, struct sb_err *err)
{
	const json_t *v = json_object_get(obj, key);

	if (!v || json_is_null(v))
		return 0;
	if (!json_is_string(v) || strlen(json_string_value(v)) != json_string_length(v))
		return sb_err_refuse(err, EPROTO, "'%s' is not a string", key);
	*ret = json_string_value(v);
	return 0;
}

/**
 * sb_json_need_str() - A string that must be there
 * @obj:	object
 * @key:	its key
 * @ret:	borrowed from @obj
 *
 * Return: 0 or -EPROTO
 */
int sb_json_need_str(const json_t *obj, const char *key, const char **ret, struct sb_err *err)
{
	const char *s = NULL;

	if (sb_json_get_str(obj, key, &s, err) < 0)
		return -err->code;
	if (!s)
		return sb_err_refuse(err, EPROTO, "'%s' is missing", key);
	*ret = s;
	return 0;
}

/**
 * sb_json_get_int() - An integer that may be missing
 * @obj:	object
 * @key:	its key
 * @ret:	untouched if the key is missing or null
 *
 * Return: 0 or -EPROTO
 */
int sb_json_get_int(const json_t *obj, const char *key, int64_t *ret, struct sb_err *err)
{
	const json_t *v = json_object_get(obj, key);

	if (!v || json_is_null(v))
		return 0;
	if (!json_is_integer(v))
		return sb_err_refuse(err, EPROTO, "'%s' is not an integer", key);
	*ret = json_integer_value(v);
	return 0;
}

/**
 * sb_json_get_bool() - A boolean that may be missing
 * @obj:	object
 * @key:	its key
 * @ret:	0 or 1; untouched if the key is missing or null
 *
 * Return: 0 or -EPROTO
 */
int sb_json_get_bool(const json_t *obj, const char *key, int *ret, struct sb_err *err)
{
	const json_t *v = json_object_get(obj, key);

	if (!v || json_is_null(v))
		return 0;
	if (!json_is_boolean(v))
		return sb_err_refuse(err, EPROTO, "'%s' is not true or false", key);
	*ret = json_is_true(v);
	return 0;
}

/**
 * sb_json_get_strv() - A list of strings that may be missing
 * @obj:	object
 * @key:	its key
 * @ret:	strings are appended; untouched if the key is missing or null
 *
 * Return: 0, or a negative errno value (-EPROTO: not such a list); @ret may hold a part then
 */
int sb_json_get_strv(const json_t *obj, const char *key, struct sb_strv *ret, struct sb_err *err)
{
	const json_t *list = json_object_get(obj, key);
	const json_t *v;
	size_t i;

	if (!list || json_is_null(list))
		return 0;
	if (!json_is_array(list))
		return sb_err_refuse(err, EPROTO, "'%s' is not a list of strings", key);
	json_array_foreach(list, i, v)
	{
		if (!json_is_string(v) || strlen(json_string_value(v)) != json_string_length(v))
			return sb_err_refuse(err, EPROTO, "'%s' is not a list of strings", key);
		if (sb_strv_add(ret, json_string_value(v), err) < 0)
			return -err->code;
	}
	return 0;
}

/**
 * sb_json_from_strv() - A list of strings as JSON
 * @list:	strings; borrowed. Bytes that are not UTF-8 make a string null
 *
 * Return: an array that the caller drops, or NULL without memory
 */
json_t *sb_json_from_strv(const struct sb_strv *list)
{
	json_t *a = json_array();

	for (size_t i = 0; i < list->n; i++) {
		json_t *s = json_string(list->v[i]);

		(void)json_array_append_new(a, s ? s : json_null());
	}
	return a;
}

/**
 * sb_json_from_err() - An error as clients and users see it
 * @err:	error that is set
 *
 * Return: {"error": {"code", "errno", "message", "hint", "exitCode"}}, dropped by the caller
 */
json_t *sb_json_from_err(const struct sb_err *err)
{
	const char *name = strerrorname_np(err->code);
	struct sb_err plain = *err;
	char message[SB_ERR_MSG_MAX + 64], hint[SB_ERR_HINT_MAX];

	memcpy(hint, err->hint, sizeof(hint));
	plain.hint[0] = '\0';
	return json_pack("{s:{s:s, s:i, s:s, s:s?, s:i}}", "error", "code", name ? name : "EIO",
			 "errno", err->code, "message",
			 sb_err_text(&plain, message, sizeof(message)), "hint",
			 hint[0] ? sb_str_clean(hint) : NULL, "exitCode",
			 err->exit_code ? err->exit_code : 125);
}

/**
 * sb_json_to_err() - The error that sb_json_from_err() was given, in another process
 * @obj:	{"error": {…}}; what is missing in it gets a default
 *
 * Return: the negative errno value, with @err filled in
 */
int sb_json_to_err(const json_t *obj, struct sb_err *err)
{
	const json_t *e = json_object_get(obj, "error");
	struct sb_err ignored = SB_ERR_INIT;
	const char *message = "", *hint = "";
	int64_t code = EIO, exit_code = 0;

	(void)sb_json_get_str(e, "message", &message, &ignored);
	(void)sb_json_get_str(e, "hint", &hint, &ignored);
	(void)sb_json_get_int(e, "errno", &code, &ignored);
	(void)sb_json_get_int(e, "exitCode", &exit_code, &ignored);
	sb_err_refuse(err, (int)code, "%s", message); /* it has the errno text already */
	err->exit_code = (int)exit_code;
	return sb_err_hint(err, "%s", hint);
}
