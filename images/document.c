/* SPDX-License-Identifier: Apache-2.0 */
/* document.c - JSON that strangers wrote: indexes, manifests, configs */
#include "images/document.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>

#include "runtime/base/err.h"
#include "runtime/base/json.h"

/* Two bytes of text make a value of more than a hundred in memory, so the length alone is no bound.
 * An index of 4,000 images has half of this. */
#define VALUES_MAX 65536

/* How many values a text has, at least: each but the first follows one of these. */
static size_t count_values(const char *text, size_t len)
{
	bool in_string = false;
	size_t n = 1;

	for (size_t i = 0; i < len; i++) {
		if (in_string && text[i] == '\\')
			i++;
		else if (text[i] == '"')
			in_string = !in_string;
		else if (!in_string && (text[i] == ',' || text[i] == '[' || text[i] == '{'))
			n++;
	}
	return n;
}

/**
 * sb_document_parse() - Parse a document
 * @text:	bytes, need no NUL
 * @len:	how many; the caller has a limit
 * @ret:	the value; the caller drops it with json_decref()
 *
 * Takes some 10 MiB of memory for the values at most, and twice @len for their strings.
 *
 * Return: 0 or -EPROTO (not JSON, see sb_json_parse(); too many values)
 */
int sb_document_parse(const char *text, size_t len, json_t **ret, struct sb_err *err)
{
	if (count_values(text, len) > VALUES_MAX)
		return sb_err_refuse(err, EPROTO, "it has more than %d values", VALUES_MAX);
	return sb_json_parse(text, len, ret, err);
}

/**
 * sb_document_check_keys() - Refuse keys that other readers take for known ones
 * @object:	object; of another type or NULL there is nothing to refuse
 * @keys:	known keys
 * @n:		how many
 *
 * The decoder of Go, in which most tools for images are written, ignores case: "Layers" would mean
 * to them what it does not mean to us, so what they have scanned or signed is not what we run.
 *
 * Return: 0 or -EPROTO
 */
int sb_document_check_keys(const json_t *object, const char *const *keys, size_t n,
			   struct sb_err *err)
{
	const char *key;
	json_t *value;

	json_object_foreach((json_t *)object, key, value)
	{
		for (size_t i = 0; i < n; i++)
			if (!strcasecmp(key, keys[i]) && strcmp(key, keys[i]) != 0)
				return sb_err_refuse(err, EPROTO, "it has the key '%.20s'", key);
	}
	return 0;
}
