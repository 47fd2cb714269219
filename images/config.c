/* SPDX-License-Identifier: Apache-2.0 */
/* config.c - the image configuration (OCI image-spec config.md; Docker's is the same where we read)
 */
#include "images/config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "images/digest.h"
#include "images/document.h"
#include "images/image.h"
#include "images/limits.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/err.h"
#include "runtime/base/json.h"
#include "runtime/base/str.h"

/* "+hh:mm" or "-hh:mm" to minutes. */
static int parse_offset(const char *s, int64_t *ret_minutes)
{
	int64_t minutes = 0;

	if ((*s != '+' && *s != '-') || strlen(s) != 6 || s[3] != ':')
		return -EINVAL;
	for (size_t i = 1; i < 6; i++) {
		if (i == 3)
			continue;
		if (s[i] < '0' || s[i] > '9')
			return -EINVAL;
		minutes = minutes * (i == 4 ? 6 : 10) + (s[i] - '0');
	}
	*ret_minutes = *s == '-' ? -minutes : minutes;
	return 0;
}

/**
 * sb_config_time() - A time as image configurations write it (RFC 3339)
 * @s:	text
 *
 * Return: ms since the epoch, whole seconds; -1 if it is no such time
 */
int64_t sb_config_time(const char *s)
{
	struct tm tm = { 0 };
	const char *rest = strptime(s, "%Y-%m-%dT%H:%M:%S", &tm);
	int64_t minutes = 0;

	if (!rest)
		return -1;
	if (*rest == '.')
		rest += 1 + strspn(rest + 1, "0123456789");
	if (strcmp(rest, "Z") != 0 && parse_offset(rest, &minutes) < 0)
		return -1;
	return ((int64_t)timegm(&tm) - minutes * 60) * 1000;
}

/* Copy the string @key; empty counts as missing, as Docker writes it. */
static int take_str(const json_t *obj, const char *key, char **ret, struct sb_err *err)
{
	const char *s = NULL;

	if (sb_json_get_str(obj, key, &s, err) < 0)
		return -err->code;
	if (!s || !*s)
		return 0;
	*ret = strdup(s);
	return *ret ? 0 : sb_err_set(err, ENOMEM, "copy '%s'", key);
}

static int take_env(const json_t *obj, struct sb_strv *ret, struct sb_err *err)
{
	struct sb_strv all = SB_STRV_INIT;
	int r = sb_json_get_strv(obj, "Env", &all, err);

	for (size_t i = 0; r == 0 && i < all.n; i++) {
		const char *eq = strchr(all.v[i], '=');

		if (eq && eq != all.v[i])
			r = sb_strv_set_env(ret, all.v[i], err);
	}
	sb_strv_done(&all);
	return r;
}

/* ExposedPorts is a set: an object whose keys count. */
static int take_ports(const json_t *obj, struct sb_strv *ret, struct sb_err *err)
{
	json_t *ports = json_object_get(obj, "ExposedPorts");
	const char *key;
	json_t *value;

	if (!ports || json_is_null(ports))
		return 0;
	if (!json_is_object(ports))
		return sb_err_refuse(err, EPROTO, "'ExposedPorts' is not an object");
	json_object_foreach(ports, key,
			    value) if (sb_strv_add(ret, key, err) < 0) return -err->code;
	return 0;
}

static int take_diff_ids(const json_t *root, struct sb_strv *ret, struct sb_err *err)
{
	static const char *const keys[] = { "type", "diff_ids" };
	const json_t *rootfs = json_object_get(root, "rootfs");
	const char *type = NULL;

	if (!json_is_object(rootfs))
		return sb_err_refuse(err, EPROTO, "'rootfs' is missing");
	if (sb_document_check_keys(rootfs, keys, SB_ARRAY_SIZE(keys), err) < 0 ||
	    sb_json_need_str(rootfs, "type", &type, err) < 0)
		return sb_err_prefix(err, "rootfs");
	if (strcmp(type, "layers") != 0)
		return sb_err_refuse(err, EPROTO, "the type of 'rootfs' is not 'layers'");
	if (sb_json_get_strv(rootfs, "diff_ids", ret, err) < 0)
		return -err->code;
	if (ret->n > SB_IMAGE_LAYERS_MAX)
		return sb_err_refuse(err, EPROTO, "%zu layers are more than %d", ret->n,
				     SB_IMAGE_LAYERS_MAX);
	for (size_t i = 0; i < ret->n; i++)
		if (sb_digest_check(ret->v[i], "layer's tar (diff_id)", err) < 0)
			return -err->code;
	return 0;
}

/* What a container is to run: the object "config", which may be missing or null. */
static int take_run_config(const json_t *cfg, struct sb_image *ret, struct sb_err *err)
{
	static const char *const keys[] = { "Env",        "Entrypoint", "Cmd", "ExposedPorts",
					    "WorkingDir", "StopSignal", "User" };

	if (!cfg || json_is_null(cfg))
		return 0;
	if (!json_is_object(cfg))
		return sb_err_refuse(err, EPROTO, "'config' is not an object");
	if (sb_document_check_keys(cfg, keys, SB_ARRAY_SIZE(keys), err) < 0 ||
	    take_env(cfg, &ret->env, err) < 0 ||
	    sb_json_get_strv(cfg, "Entrypoint", &ret->entrypoint, err) < 0 ||
	    sb_json_get_strv(cfg, "Cmd", &ret->cmd, err) < 0 ||
	    take_str(cfg, "WorkingDir", &ret->working_dir, err) < 0 ||
	    take_str(cfg, "User", &ret->user, err) < 0 ||
	    take_str(cfg, "StopSignal", &ret->stop_signal, err) < 0 ||
	    take_ports(cfg, &ret->exposed_ports, err) < 0)
		return -err->code;
	return 0;
}

/**
 * sb_config_parse() - Read an image configuration
 * @text:	JSON
 * @len:	its length
 * @ret:	everything but reference, digest, size and layers is filled in; on failure it may
 *hold a part, so the caller calls sb_image_done() either way
 * @ret_diff_ids:	digests of the layers' tars, bottom first, checked; the caller frees them
 *
 * Return: 0, or a negative errno value (-EPROTO: not an image configuration)
 */
int sb_config_parse(const char *text, size_t len, struct sb_image *ret,
		    struct sb_strv *ret_diff_ids, struct sb_err *err)
{
	static const char *const keys[] = { "architecture", "os",      "config",
					    "rootfs",       "created", "variant" };
	_cleanup_json_ json_t *root = NULL;
	const char *created = NULL;

	if (sb_document_parse(text, len, &root, err) < 0)
		return sb_err_prefix(err, "image config");
	if (!json_is_object(root))
		return sb_err_refuse(err, EPROTO, "image config: not an object");
	if (sb_document_check_keys(root, keys, SB_ARRAY_SIZE(keys), err) < 0 ||
	    take_str(root, "architecture", &ret->architecture, err) < 0 ||
	    take_str(root, "os", &ret->os, err) < 0 ||
	    take_str(root, "variant", &ret->variant, err) < 0 ||
	    sb_json_get_str(root, "created", &created, err) < 0 ||
	    take_run_config(json_object_get(root, "config"), ret, err) < 0 ||
	    take_diff_ids(root, ret_diff_ids, err) < 0)
		return sb_err_prefix(err, "image config");
	ret->created_ms = created ? sb_config_time(created) : -1;
	return 0;
}
