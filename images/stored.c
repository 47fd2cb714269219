/* SPDX-License-Identifier: Apache-2.0 */
/* stored.c - manifests and configurations as the store keeps them */
#include "images/stored.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "images/config.h"
#include "images/image.h"
#include "images/store.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/err.h"
#include "runtime/base/json.h"

/**
 * sb_stored_not_found() - Say that there is no such image
 * @what:	what the user called it, or its digest
 *
 * Return: -ENOENT
 */
int sb_stored_not_found(const char *what, struct sb_err *err)
{
	sb_err_refuse(err, ENOENT, "no image '%.100s'", what);
	return sb_err_hint(err, "'sbrun images' lists what is there, 'sbrun pull' and 'sbrun load' "
				"add images");
}

/* Fill in what is read out of @m->json. */
static int take_fields(struct sb_stored_manifest *m, const char *digest, struct sb_err *err)
{
	const json_t *descriptor = json_object_get(m->json, "config");
	const char *config = NULL;
	const json_t *layer;
	int64_t size = 0;
	size_t i;

	if (sb_json_need_str(descriptor, "digest", &config, err) < 0 ||
	    sb_digest_check(config, "image config", err) < 0 ||
	    sb_json_get_int(descriptor, "size", &size, err) < 0)
		return sb_err_prefix(err, "'%s' is not an image manifest", digest);
	memcpy(m->config, config, sizeof(m->config));
	m->bytes = (uint64_t)size;
	json_array_foreach(json_object_get(m->json, "layers"), i, layer)
	{
		size = 0;
		if (sb_json_get_int(layer, "size", &size, err) < 0)
			return sb_err_prefix(err, "'%s'", digest);
		m->bytes += (uint64_t)size;
	}
	return 0;
}

/**
 * sb_stored_manifest_read() - Read a manifest
 * @store_dirfd:	the store; borrowed
 * @digest:	valid digest
 * @ret:	written on success only; sb_stored_manifest_done() frees it
 *
 * Return: 0, or a negative errno value (-ENOENT: not stored, -EPROTO: not an image manifest)
 */
int sb_stored_manifest_read(int store_dirfd, const char *digest, struct sb_stored_manifest *ret,
			    struct sb_err *err)
{
	struct sb_stored_manifest m = { .json = NULL };
	_cleanup_free_ char *text = NULL;
	size_t len;

	if (sb_store_read_blob(store_dirfd, digest, SB_MANIFEST_MAX_BYTES, &text, &len, err) < 0)
		return err->code == ENOENT ? sb_stored_not_found(digest, err) : -err->code;
	if (sb_json_parse(text, len, &m.json, err) < 0)
		return sb_err_prefix(err, "'%s' is not an image manifest", digest);
	if (take_fields(&m, digest, err) < 0) {
		sb_stored_manifest_done(&m);
		return -err->code;
	}
	*ret = m;
	return 0;
}

/**
 * sb_stored_manifest_done() - Free a manifest; it is empty afterwards
 * @m:	manifest
 */
void sb_stored_manifest_done(struct sb_stored_manifest *m)
{
	json_decref(m->json);
	*m = (struct sb_stored_manifest){ .json = NULL };
}

/* diff_ids -> directory names, only the topmost occurrence of each. */
static int name_layers(const struct sb_strv *diff_ids, struct sb_strv *ret, struct sb_err *err)
{
	char name[SB_DIGEST_SIZE];

	for (size_t i = 0; i < diff_ids->n; i++) {
		bool again = false;

		for (size_t k = i + 1; k < diff_ids->n && !again; k++)
			again = !strcmp(diff_ids->v[i], diff_ids->v[k]);
		if (again)
			continue;
		sb_digest_file_name(diff_ids->v[i], name);
		if (sb_strv_add(ret, name, err) < 0)
			return -err->code;
	}
	return 0;
}

/**
 * sb_stored_image_read() - Read manifest and configuration of an image
 * @store_dirfd:	the store; borrowed
 * @digest:	valid manifest digest
 * @ret:	empty image, all but the reference and the lock is filled in; on failure it may hold
 *		a part, so the caller calls sb_image_done() either way
 * @ret_diff_ids:	digests of the layers' tars, bottom first; the caller frees them either way
 *
 * Return: 0, or a negative errno value (-ENOENT: the manifest is not stored, -EPROTO: it or the
 * configuration is broken)
 */
int sb_stored_image_read(int store_dirfd, const char *digest, struct sb_image *ret,
			 struct sb_strv *ret_diff_ids, struct sb_err *err)
{
	struct sb_stored_manifest m = { .json = NULL };
	_cleanup_free_ char *text = NULL;
	size_t len;

	if (sb_stored_manifest_read(store_dirfd, digest, &m, err) < 0)
		return -err->code;
	json_decref(m.json);
	ret->size_bytes = m.bytes;
	ret->digest = strdup(digest);
	ret->config_digest = strdup(m.config);
	if (!ret->digest || !ret->config_digest)
		return sb_err_set(err, ENOMEM, "read image '%s'", digest);
	/* A manifest without its configuration is broken, not missing. */
	if (sb_store_read_blob(store_dirfd, m.config, SB_CONFIG_MAX_BYTES, &text, &len, err) < 0)
		return err->code == ENOENT
			       ? sb_err_refuse(err, EPROTO, "image '%s' has lost its configuration",
					       digest)
			       : -err->code;
	if (sb_config_parse(text, len, ret, ret_diff_ids, err) < 0)
		return -err->code;
	return name_layers(ret_diff_ids, &ret->layers, err);
}

/**
 * sb_stored_config_read() - Read an image configuration as it stands
 * @store_dirfd:	the store; borrowed
 * @digest:	valid digest of the configuration
 * @ret:	the document; the caller drops it
 *
 * Return: 0, or a negative errno value (-ENOENT: not stored, -EPROTO: not JSON)
 */
int sb_stored_config_read(int store_dirfd, const char *digest, json_t **ret, struct sb_err *err)
{
	_cleanup_free_ char *text = NULL;
	size_t len;

	if (sb_store_read_blob(store_dirfd, digest, SB_CONFIG_MAX_BYTES, &text, &len, err) < 0 ||
	    sb_json_parse(text, len, ret, err) < 0)
		return sb_err_prefix(err, "image config");
	return 0;
}
