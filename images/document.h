/* SPDX-License-Identifier: Apache-2.0 */
/*
 * document.h - JSON that strangers wrote: indexes, manifests, configs
 */
#ifndef SB_IMAGES_DOCUMENT_H
#define SB_IMAGES_DOCUMENT_H

#include <stddef.h>

#include <jansson.h>

struct sb_err;

int sb_document_parse(const char *text, size_t len, json_t **ret, struct sb_err *err);
int sb_document_check_keys(const json_t *object, const char *const *keys, size_t n,
			   struct sb_err *err);

#endif /* SB_IMAGES_DOCUMENT_H */
