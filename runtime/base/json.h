/* SPDX-License-Identifier: Apache-2.0 */
/*
 * json.h - bounded reading and atomic writing of JSON, on top of jansson
 *
 * Getters check the type and name the key in their message; a missing key is an error only for the
 * functions that say so.
 */
#ifndef SB_BASE_JSON_H
#define SB_BASE_JSON_H

#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

struct sb_err;
struct sb_strv;

static inline void sb_cleanup_json(json_t **j)
{
	json_decref(*j);
}
#define _cleanup_json_ __attribute__((cleanup(sb_cleanup_json)))

int sb_json_parse(const char *text, size_t len, json_t **ret, struct sb_err *err);
int sb_json_load_at(int dirfd, const char *name, size_t max, json_t **ret, struct sb_err *err);
int sb_json_save_at(int dirfd, const char *name, const json_t *value, struct sb_err *err);

int sb_json_need_str(const json_t *obj, const char *key, const char **ret, struct sb_err *err);
int sb_json_get_str(const json_t *obj, const char *key, const char **ret, struct sb_err *err);
int sb_json_get_int(const json_t *obj, const char *key, int64_t *ret, struct sb_err *err);
int sb_json_get_bool(const json_t *obj, const char *key, int *ret, struct sb_err *err);
int sb_json_get_strv(const json_t *obj, const char *key, struct sb_strv *ret, struct sb_err *err);
json_t *sb_json_from_strv(const struct sb_strv *list);
json_t *sb_json_from_err(const struct sb_err *err);
int sb_json_to_err(const json_t *obj, struct sb_err *err);

#endif /* SB_BASE_JSON_H */
