/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stored.h - manifests and configurations as the store keeps them
 */
#ifndef SB_IMAGES_STORED_H
#define SB_IMAGES_STORED_H

#include <stdint.h>

#include <jansson.h>

#include "images/digest.h"

struct sb_err;
struct sb_image;
struct sb_strv;

/**
 * struct sb_stored_manifest - a manifest of the store
 * @json:	the document, an object; owned
 * @config:	digest of the image's configuration
 * @bytes:	sizes of configuration and layers as the manifest gives them (compressed)
 */
struct sb_stored_manifest {
	json_t *json;
	char config[SB_DIGEST_SIZE];
	uint64_t bytes;
};

int sb_stored_manifest_read(int store_dirfd, const char *digest, struct sb_stored_manifest *ret,
			    struct sb_err *err);
void sb_stored_manifest_done(struct sb_stored_manifest *m);
int sb_stored_image_read(int store_dirfd, const char *digest, struct sb_image *ret,
			 struct sb_strv *ret_diff_ids, struct sb_err *err);
int sb_stored_config_read(int store_dirfd, const char *digest, json_t **ret, struct sb_err *err);
int sb_stored_not_found(const char *what, struct sb_err *err);

#endif /* SB_IMAGES_STORED_H */
