/* SPDX-License-Identifier: Apache-2.0 */
/* str.c - lists of strings (argument vectors, environments) */
#include "runtime/base/str.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/err.h"

/**
 * sb_strv_add() - Append a copy of a string
 * @list:	list
 * @s:		string; borrowed
 *
 * Return: 0, or -ENOMEM with the list unchanged
 */
int sb_strv_add(struct sb_strv *list, const char *s, struct sb_err *err)
{
	char **v = realloc(list->v, (list->n + 2) * sizeof(*v));
	char *copy = v ? strdup(s) : NULL;

	if (v) {
		list->v = v;
		list->v[list->n] = NULL;
	}
	if (!copy)
		return sb_err_set(err, ENOMEM, "copy a string of %zu bytes", strlen(s));
	list->v[list->n++] = copy;
	list->v[list->n] = NULL;
	return 0;
}

/**
 * sb_strv_set_env() - Set a variable in an environment; the last assignment of a name wins
 * @env:	environment
 * @assignment:	"NAME=value"; borrowed
 *
 * Return: 0, or a negative errno value (-EINVAL: no name before '='; never looked up on the host:
 * CVE-2026-57231)
 */
int sb_strv_set_env(struct sb_strv *env, const char *assignment, struct sb_err *err)
{
	const char *eq = strchr(assignment, '=');
	size_t len;

	if (!eq || eq == assignment)
		return sb_err_refuse(err, EINVAL, "'%s' is not NAME=VALUE", assignment);
	len = (size_t)(eq - assignment) + 1;
	for (size_t i = 0; i < env->n; i++) {
		char *copy;

		if (strncmp(env->v[i], assignment, len) != 0)
			continue;
		copy = strdup(assignment);
		if (!copy)
			return sb_err_set(err, ENOMEM, "set '%.*s'", (int)len - 1, assignment);
		free(env->v[i]);
		env->v[i] = copy;
		return 0;
	}
	return sb_strv_add(env, assignment, err);
}

/**
 * sb_strv_get_env() - Look a variable up
 * @env:	environment
 * @name:	name, without '='
 *
 * Return: its value, borrowed from @env, or NULL
 */
const char *sb_strv_get_env(const struct sb_strv *env, const char *name)
{
	size_t len = strlen(name);

	for (size_t i = 0; i < env->n; i++)
		if (!strncmp(env->v[i], name, len) && env->v[i][len] == '=')
			return env->v[i] + len + 1;
	return NULL;
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/**
 * sb_strv_sort() - Put the strings in the order of their bytes
 * @list:	list
 */
void sb_strv_sort(struct sb_strv *list)
{
	if (list->n > 1)
		qsort(list->v, list->n, sizeof(*list->v), by_text);
}

/**
 * sb_strv_has_sorted() - Look a string up in a sorted list
 * @list:	as sb_strv_sort() leaves it
 * @s:		string; borrowed
 *
 * Return: whether it is there
 */
bool sb_strv_has_sorted(const struct sb_strv *list, const char *s)
{
	return list->n > 0 && bsearch(&s, list->v, list->n, sizeof(*list->v), by_text);
}

/**
 * sb_strv_done() - Free the strings; the list is empty afterwards
 * @list:	list
 */
void sb_strv_done(struct sb_strv *list)
{
	for (size_t i = 0; i < list->n; i++)
		free(list->v[i]);
	free(list->v);
	list->v = NULL;
	list->n = 0;
}

/* Length of the UTF-8 sequence at @s, 0 if there is no valid one (RFC 3629 section 4). */
static size_t utf8_length(const unsigned char *s)
{
	size_t n = s[0] < 0x80   ? 1
		   : s[0] < 0xc2 ? 0
		   : s[0] < 0xe0 ? 2
		   : s[0] < 0xf0 ? 3
		   : s[0] < 0xf5 ? 4
				 : 0;

	for (size_t i = 1; i < n; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) ||
	    (s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f))
		return 0;
	return n;
}

/**
 * sb_str_clean() - Make a text from who knows where fit for terminals and JSON
 * @s:		text; control characters and what is not UTF-8 become '?' in place
 *
 * Names from images and users end up in messages: they must neither steer the terminal nor make an
 * answer unprintable. A message cut in the middle of a character is mended too.
 *
 * Return: @s
 */
char *sb_str_clean(char *s)
{
	unsigned char *p = (unsigned char *)s;

	while (*p) {
		size_t n = utf8_length(p);

		if (n == 0 || *p < ' ' || *p == 127) {
			*p++ = '?';
			continue;
		}
		p += n;
	}
	return s;
}
