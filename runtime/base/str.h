/* SPDX-License-Identifier: Apache-2.0 */
/*
 * str.h - lists of strings (argument vectors, environments)
 */
#ifndef SB_BASE_STR_H
#define SB_BASE_STR_H

#include <stdbool.h>
#include <stddef.h>

struct sb_err;

/**
 * struct sb_strv - NULL-terminated list of strings, each owned
 * @v:		the strings, usable as argv or envp; NULL while the list is empty and untouched
 * @n:		how many, without the NULL
 */
struct sb_strv {
	char **v;
	size_t n;
};

#define SB_STRV_INIT      \
	{                 \
		.v = NULL \
	}

int sb_strv_add(struct sb_strv *list, const char *s, struct sb_err *err);
int sb_strv_set_env(struct sb_strv *env, const char *assignment, struct sb_err *err);
const char *sb_strv_get_env(const struct sb_strv *env, const char *name);
void sb_strv_sort(struct sb_strv *list);
bool sb_strv_has_sorted(const struct sb_strv *list, const char *s);
void sb_strv_done(struct sb_strv *list);

char *sb_str_clean(char *s);

#endif /* SB_BASE_STR_H */
