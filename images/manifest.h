/* SPDX-License-Identifier: Apache-2.0 */
/*
 * manifest.h - an image on its way into the store: verified manifest, config and list of layers
 */
#ifndef SB_IMAGES_MANIFEST_H
#define SB_IMAGES_MANIFEST_H

#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "images/digest.h"
#include "images/platform.h"
#include "runtime/base/str.h"

struct sb_blob_reader;
struct sb_err;

#define SB_MEDIA_TYPE_INDEX "application/vnd.oci.image.index.v1+json"

enum sb_manifest_kind {
	SB_MANIFEST_OTHER,
	SB_MANIFEST_IMAGE,
	SB_MANIFEST_INDEX,
};

/**
 * struct sb_incoming_layer - one layer of it
 * @file:	name of the blob in the archive; owned
 * @data:	its bytes, if the manifest itself has them ("data", descriptor.md), verified; owned
 * @data_len:	how many
 * @digest:	digest of the blob; "" if the archive gives none
 * @diff_id:	digest of the uncompressed tar
 * @size:	bytes of the blob; SB_LAYER_SIZE_ANY if the archive gives none
 */
struct sb_incoming_layer {
	char *file;
	char *data;
	size_t data_len;
	char digest[SB_DIGEST_SIZE];
	char diff_id[SB_DIGEST_SIZE];
	uint64_t size;
};

#define SB_LAYER_SIZE_ANY UINT64_MAX

/**
 * struct sb_incoming - an image; everything is owned
 * @platform:		what it must be for
 * @references:		full references it gets
 * @digest:		manifest digest; "" while @manifest is NULL
 * @manifest:		its bytes; NULL until one is made, for archives that have none
 * @manifest_len:	how many
 * @config_digest:	config digest
 * @config:		its bytes
 * @config_len:		how many
 * @layers:		bottom first
 * @n_layers:		how many
 */
struct sb_incoming {
	struct sb_platform platform;
	struct sb_strv references;
	char digest[SB_DIGEST_SIZE];
	char *manifest;
	size_t manifest_len;
	char config_digest[SB_DIGEST_SIZE];
	char *config;
	size_t config_len;
	struct sb_incoming_layer *layers;
	size_t n_layers;
};

/**
 * struct sb_incoming_list - the images of one archive that are to be loaded
 * @platform:	what they must be for
 * @v:		images
 * @n:		how many
 */
struct sb_incoming_list {
	struct sb_platform platform;
	struct sb_incoming *v;
	size_t n;
};

enum sb_manifest_kind sb_manifest_kind_of(const char *media_type);
int sb_manifest_read_blob(const struct sb_blob_reader *from, const json_t *descriptor,
			  const char *what, char **ret, size_t *ret_len, struct sb_err *err);
int sb_manifest_parse(const char *text, size_t len, const char *media_type, json_t **ret,
		      struct sb_err *err);
int sb_manifest_read(const struct sb_blob_reader *from, const json_t *descriptor,
		     struct sb_incoming *ret, struct sb_err *err);
int sb_manifest_take_config(struct sb_incoming *image, struct sb_err *err);
struct sb_incoming *sb_incoming_add(struct sb_incoming_list *list, struct sb_err *err);
void sb_incoming_done(struct sb_incoming *image);
int sb_incoming_name(struct sb_incoming_list *list, const char *reference, struct sb_err *err);
void sb_incoming_list_done(struct sb_incoming_list *list);

#endif /* SB_IMAGES_MANIFEST_H */
