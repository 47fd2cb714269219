/* SPDX-License-Identifier: Apache-2.0 */
/* image_out.c - how commands show images and what was removed of them */
#include "runtime/cli/image_out.h"

#include <stdio.h>
#include <string.h>

#include "images/collect.h"
#include "images/image.h"
#include "runtime/base/cleanup.h"
#include "runtime/cli/cli.h"

/**
 * sb_image_out_id() - The part of an id that people see
 * @id:		digest, or NULL if it is not known
 * @buf:	text
 *
 * Return: @buf
 */
const char *sb_image_out_id(const char *id, char buf[SB_IMAGE_SHORT_ID])
{
	const char *hex = id ? strchr(id, ':') : NULL;

	snprintf(buf, SB_IMAGE_SHORT_ID, "%s", hex ? hex + 1 : "-");
	return buf;
}

/**
 * sb_image_out_familiar() - A reference as short as people write it
 * @reference:	full reference
 * @buf:	text
 * @size:	size of @buf; SB_IMAGE_REFERENCE_SIZE is enough
 *
 * Return: @buf
 */
const char *sb_image_out_familiar(const char *reference, char *buf, size_t size)
{
	if (sb_image_familiar(reference, buf, size) < 0)
		snprintf(buf, size, "%s", reference);
	return buf;
}

/**
 * sb_image_json_familiar() - Likewise for a list, as JSON
 * @references:	full references
 *
 * Return: an array that the caller drops, or NULL without memory
 */
json_t *sb_image_json_familiar(const struct sb_strv *references)
{
	char familiar[SB_IMAGE_REFERENCE_SIZE];
	json_t *a = json_array();

	for (size_t i = 0; i < references->n; i++)
		(void)json_array_append_new(
			a, json_string(sb_image_out_familiar(references->v[i], familiar,
							     sizeof(familiar))));
	return a;
}

/**
 * sb_image_out_collected() - Print what was removed from the store, as one line
 * @c:	what was removed
 */
void sb_image_out_collected(const struct sb_collected *c)
{
	const struct {
		unsigned int n;
		const char *one, *many;
	} parts[] = {
		{ c->layers.n, "layer", "layers" },
		{ c->blobs.n, "manifest or configuration", "manifests and configurations" },
		{ c->partials.n, "partial download", "partial downloads" },
		{ c->stages.n, "unfinished load", "unfinished loads" },
	};
	char size[32];
	bool first = true;

	printf("freed %s in the store", sb_out_bytes(sb_collected_bytes(c), size, sizeof(size)));
	for (size_t i = 0; i < SB_ARRAY_SIZE(parts); i++) {
		if (parts[i].n == 0)
			continue;
		printf("%s%u %s", first ? ": " : ", ", parts[i].n,
		       parts[i].n == 1 ? parts[i].one : parts[i].many);
		first = false;
	}
	puts("");
}

/**
 * sb_image_json_collected() - What was removed from the store, as JSON
 * @c:	what was removed
 *
 * Return: an object that the caller drops, or NULL without memory
 */
json_t *sb_image_json_collected(const struct sb_collected *c)
{
	return json_pack("{s:i, s:i, s:i, s:i, s:I}", "layersRemoved", (int)c->layers.n,
			 "blobsRemoved", (int)c->blobs.n, "partialDownloadsRemoved",
			 (int)c->partials.n, "unfinishedLoadsRemoved", (int)c->stages.n,
			 "freedBytes", (json_int_t)sb_collected_bytes(c));
}
