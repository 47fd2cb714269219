/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reference.h - names of images as people write them: [host/]path[:tag][@digest]
 */
#ifndef SB_IMAGES_REFERENCE_H
#define SB_IMAGES_REFERENCE_H

#include <stddef.h>

#include "images/digest.h"

struct sb_err;

#define SB_REFERENCE_NAME_MAX \
	255 /* host and path, bytes (OCI distribution-spec "Pulling manifests") */
#define SB_REFERENCE_TAG_MAX 128 /* bytes, ibid. */

/* Room for a whole reference with its NUL. */
#define SB_REFERENCE_SIZE (SB_REFERENCE_NAME_MAX + 1 + SB_REFERENCE_TAG_MAX + 1 + SB_DIGEST_SIZE)

/**
 * struct sb_image_ref - a reference taken apart and completed
 * @name:	registry host and path, e.g. "docker.io/library/python"
 * @tag:	tag, "latest" if neither tag nor digest was given; empty if only a digest was
 * @digest:	"sha256:…", or empty
 */
struct sb_image_ref {
	char name[SB_REFERENCE_NAME_MAX + 1];
	char tag[SB_REFERENCE_TAG_MAX + 1];
	char digest[SB_DIGEST_SIZE];
};

int sb_reference_parse(const char *text, struct sb_image_ref *ret, struct sb_err *err);
int sb_reference_complete(const char *text, char *buf, size_t size, struct sb_err *err);
int sb_reference_parse_host(const char *text, char *ret_host, struct sb_err *err);
void sb_reference_format(const struct sb_image_ref *ref, char *buf, size_t size);
void sb_reference_familiar(const struct sb_image_ref *ref, char *buf, size_t size);

#endif /* SB_IMAGES_REFERENCE_H */
