/* SPDX-License-Identifier: Apache-2.0 */
/*
 * describe.c - all that is known about a stored image, for people
 *
 * Labels, author and history are shown here and used nowhere: an image's word is no policy.
 */
#include "images/describe.h"

#include <errno.h>
#include <string.h>

#include "images/config.h"
#include "images/disk.h"
#include "images/image.h"
#include "images/resolve.h"
#include "images/roots.h"
#include "images/stored.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/err.h"
#include "runtime/base/json.h"
#include "runtime/base/sys.h"

/**
 * struct subject - an image that is described
 * @found:	how it was found
 * @image:	what sandboxes get of it
 * @diff_ids:	digests of its layers' tars, bottom first
 * @manifest:	its manifest
 * @config:	its configuration, as it stands
 * @store_dirfd: the store; borrowed
 */
struct subject {
	struct sb_resolved found;
	struct sb_image image;
	struct sb_strv diff_ids;
	struct sb_stored_manifest manifest;
	json_t *config;
	int store_dirfd;
};

#define SUBJECT_INIT(store)                                     \
	{                                                       \
		.image = SB_IMAGE_INIT, .store_dirfd = (store), \
	}

static void subject_done(struct subject *s)
{
	sb_image_done(&s->image);
	sb_strv_done(&s->diff_ids);
	sb_stored_manifest_done(&s->manifest);
	json_decref(s->config);
}

static int subject_read(struct subject *s, const char *text, struct sb_err *err)
{
	int store = s->store_dirfd;

	if (sb_resolve(store, text, &s->found, err) < 0 ||
	    sb_stored_manifest_read(store, s->found.digest, &s->manifest, err) < 0 ||
	    sb_stored_image_read(store, s->found.digest, &s->image, &s->diff_ids, err) < 0)
		return -err->code;
	return sb_stored_config_read(store, s->manifest.config, &s->config, err);
}

/* A text of the image, or null. */
static json_t *text_of(const json_t *obj, const char *key)
{
	json_t *v = json_object_get(obj, key);

	return json_is_string(v) && json_string_length(v) > 0 ? json_incref(v) : json_null();
}

/* The keys of an object, which the image uses as a set. */
static json_t *keys_of(const json_t *obj, const char *key)
{
	json_t *set = json_object_get(obj, key), *ret = json_array();
	const char *name;
	json_t *value;

	json_object_foreach(set, name, value)(void) json_array_append_new(ret, json_string(name));
	return ret;
}

static json_t *labels_of(const json_t *config)
{
	json_t *labels = json_object_get(config, "Labels");

	return json_is_object(labels) ? json_incref(labels) : json_object();
}

static json_t *run_config(const struct subject *s)
{
	const struct sb_image *i = &s->image;
	const json_t *config = json_object_get(s->config, "config");

	return json_pack("{s:o, s:o, s:o, s:s?, s:s?, s:s?, s:o, s:o, s:o}", "env",
			 sb_json_from_strv(&i->env), "entrypoint",
			 sb_json_from_strv(&i->entrypoint), "cmd", sb_json_from_strv(&i->cmd),
			 "workingDir", i->working_dir, "user", i->user, "stopSignal",
			 i->stop_signal, "exposedPorts", sb_json_from_strv(&i->exposed_ports),
			 "labels", labels_of(config), "volumes", keys_of(config, "Volumes"));
}

static uint64_t layer_bytes(const struct subject *s, size_t i)
{
	char name[SB_DIGEST_SIZE];

	sb_digest_file_name(s->diff_ids.v[i], name);
	return sb_disk_layer_bytes(s->store_dirfd, name);
}

static json_t *layers_json(const struct subject *s)
{
	const json_t *list = json_object_get(s->manifest.json, "layers");
	json_t *ret = json_array();

	for (size_t i = 0; i < s->diff_ids.n; i++) {
		const json_t *d = json_array_get(list, i);
		json_int_t size = json_integer_value(json_object_get(d, "size"));

		(void)json_array_append_new(
			ret, json_pack("{s:s, s:o, s:o, s:I, s:I}", "diffId", s->diff_ids.v[i],
				       "digest", text_of(d, "digest"), "mediaType",
				       text_of(d, "mediaType"), "sizeBytes",
				       (json_int_t)layer_bytes(s, i), "compressedBytes", size));
	}
	return ret;
}

/* Add the names that the image has and the sandboxes made of it. */
static int add_roots(const struct subject *s, json_t *o, struct sb_err *err)
{
	json_t *names = json_array();
	const char *index = s->found.index, *full = s->found.reference;
	char familiar[SB_IMAGE_REFERENCE_SIZE] = "";
	struct sb_roots roots;
	const struct sb_root *root;

	if (sb_roots_read(s->store_dirfd, &roots, err) < 0) {
		json_decref(names);
		return -err->code;
	}
	root = sb_roots_find(&roots, s->found.digest);
	for (size_t i = 0; root && i < root->references.n; i++)
		if (sb_image_familiar(root->references.v[i], familiar, sizeof(familiar)) == 0)
			(void)json_array_append_new(names, json_string(familiar));
	if (root && !full[0] && root->references.n > 0)
		full = root->references.v[0];
	if (root && !index[0] && root->indexes.n > 0)
		index = root->indexes.v[0];
	if (full[0])
		(void)sb_image_familiar(full, familiar, sizeof(familiar));
	(void)json_object_set_new(o, "reference", full[0] ? json_string(familiar) : json_null());
	(void)json_object_set_new(o, "fullReference", full[0] ? json_string(full) : json_null());
	(void)json_object_set_new(o, "references", names);
	(void)json_object_set_new(o, "indexDigest", index[0] ? json_string(index) : json_null());
	(void)json_object_set_new(o, "sandboxes",
				  root ? sb_json_from_strv(&root->sandboxes) : json_array());
	sb_roots_done(&roots);
	return 0;
}

static json_t *describe(const struct subject *s)
{
	const struct sb_image *i = &s->image;
	char created[SB_TIME_LEN];
	uint64_t size = 0;

	for (size_t k = 0; k < i->layers.n; k++)
		size += sb_disk_layer_bytes(s->store_dirfd, i->layers.v[k]);
	return json_pack("{s:s, s:s, s:s?, s:s?, s:s?, s:o, s:o, s:o, s:o, s:I, s:I}", "digest",
			 i->digest, "id", i->config_digest, "createdAt",
			 i->created_ms >= 0 ? sb_time_format(i->created_ms, created) : NULL, "os",
			 i->os, "architecture", i->architecture, "variant",
			 text_of(s->config, "variant"), "author", text_of(s->config, "author"),
			 "config", run_config(s), "layers", layers_json(s), "sizeBytes",
			 (json_int_t)size, "historyCount",
			 (json_int_t)json_array_size(json_object_get(s->config, "history")));
}

/**
 * sb_image_describe() - All that is known about a stored image
 * @store_dirfd:	the store; borrowed
 * @image:	what the user calls it, see sb_resolve()
 * @ret:	an object with the fields that 'sbrun image inspect --help' lists; the caller drops
 *it. Sizes are of unpacked files, each layer's once
 *
 * Return: 0, or a negative errno value (-ENOENT: no such image)
 */
int sb_image_describe(int store_dirfd, const char *image, json_t **ret, struct sb_err *err)
{
	_cleanup_(subject_done) struct subject s = SUBJECT_INIT(store_dirfd);
	_cleanup_json_ json_t *o = json_object(), *rest = NULL;

	if (subject_read(&s, image, err) < 0)
		return -err->code;
	rest = describe(&s);
	if (!rest)
		return sb_err_set(err, ENOMEM, "describe image '%s'", s.found.digest);
	/* In the order in which people look for things. */
	if (add_roots(&s, o, err) < 0)
		return -err->code;
	(void)json_object_update(o, rest);
	*ret = sb_steal_ptr(&o);
	return 0;
}

/* One entry; @layer is the next layer that no entry has made yet, and moves on if this one did. */
static json_t *history_entry(const struct subject *s, const json_t *entry, size_t *layer,
			     struct sb_err *err)
{
	const char *created = NULL;
	char buf[SB_TIME_LEN];
	int64_t created_ms;
	int empty = 0;
	uint64_t bytes = 0;

	if (sb_json_get_str(entry, "created", &created, err) < 0 ||
	    sb_json_get_bool(entry, "empty_layer", &empty, err) < 0) {
		(void)sb_err_prefix(err, "history of image '%s'", s->found.digest);
		return NULL;
	}
	created_ms = created ? sb_config_time(created) : -1;
	if (!empty && *layer < s->diff_ids.n)
		bytes = layer_bytes(s, (*layer)++);
	return json_pack("{s:s?, s:o, s:I, s:o, s:b}", "createdAt",
			 created_ms >= 0 ? sb_time_format(created_ms, buf) : NULL, "createdBy",
			 text_of(entry, "created_by"), "sizeBytes", (json_int_t)bytes, "comment",
			 text_of(entry, "comment"), "emptyLayer", empty);
}

/**
 * sb_image_history() - How a stored image was made, as it says itself
 * @store_dirfd:	the store; borrowed
 * @image:	what the user calls it, see sb_resolve()
 * @ret:	list of {"createdAt", "createdBy", "sizeBytes", "comment", "emptyLayer"}, the newest
 *		first; the caller drops it. Layers without an entry have one of their own
 *
 * OCI image-spec config.md "history": entries that are not marked as empty stand for one layer
 *each.
 *
 * Return: 0, or a negative errno value (-ENOENT: no such image, -EPROTO: not a history)
 */
int sb_image_history(int store_dirfd, const char *image, json_t **ret, struct sb_err *err)
{
	_cleanup_(subject_done) struct subject s = SUBJECT_INIT(store_dirfd);
	_cleanup_json_ json_t *list = json_array();
	const json_t *entry;
	size_t i, layer = 0;

	if (subject_read(&s, image, err) < 0)
		return -err->code;
	json_array_foreach(json_object_get(s.config, "history"), i, entry)
	{
		json_t *o = history_entry(&s, entry, &layer, err);

		if (!o)
			return err->code ? -err->code : sb_err_set(err, ENOMEM, "list the history");
		(void)json_array_insert_new(list, 0, o);
	}
	while (layer < s.diff_ids.n) {
		json_t *o = history_entry(&s, NULL, &layer, err);

		(void)json_array_insert_new(list, 0, o);
	}
	*ret = sb_steal_ptr(&list);
	return 0;
}
