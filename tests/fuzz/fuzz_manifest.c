/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_manifest.c - indexes, manifests, configs and references from anybody */
#undef NDEBUG
#include <assert.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "images/config.h"
#include "images/image.h"
#include "images/index.h"
#include "images/manifest.h"
#include "images/reader.h"
#include "images/reference.h"
#include "runtime/base/err.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Nothing is there but what descriptors bring along themselves. */
static int read_nothing(void *ctx, const struct sb_blob_wanted *wanted, char **ret, size_t *ret_len,
			struct sb_err *err)
{
	(void)ctx;
	(void)ret;
	(void)ret_len;
	assert(sb_digest_is_valid(wanted->digest));
	return sb_err_refuse(err, ENOENT, "there is nothing");
}

static const struct sb_blob_reader nothing = { .read = read_nothing };

/* Digest and size of what is chosen are checked where it is read: as a manifest, see below. */
static void try_index(const char *text, size_t len)
{
	struct sb_err err = SB_ERR_INIT;
	json_t *index = NULL, *chosen = NULL;
	struct sb_platform host;

	if (sb_manifest_parse(text, len, SB_MEDIA_TYPE_INDEX, &index, &err) < 0)
		return;
	sb_platform_host(&host);
	if (sb_index_choose(&nothing, json_object_get(index, "manifests"), NULL, &host, &chosen,
			    &err) == 0) {
		struct sb_incoming image = { .platform = host };

		assert(chosen);
		(void)sb_manifest_read(&nothing, chosen, &image, &err);
		sb_incoming_done(&image);
	}
	json_decref(chosen);
	json_decref(index);
}

static void try_config(const char *text, size_t len)
{
	struct sb_image image = SB_IMAGE_INIT;
	struct sb_strv diff_ids = SB_STRV_INIT;
	struct sb_err err = SB_ERR_INIT;

	if (sb_config_parse(text, len, &image, &diff_ids, &err) == 0) {
		for (size_t i = 0; i < diff_ids.n; i++)
			assert(sb_digest_is_valid(diff_ids.v[i]));
		for (size_t i = 0; i < image.env.n; i++)
			assert(strchr(image.env.v[i], '=') > image.env.v[i]);
	}
	sb_strv_done(&diff_ids);
	sb_image_done(&image);
}

/* A reference in full means the same when it is read again. */
static void try_reference(const char *text)
{
	char full[SB_REFERENCE_SIZE], again[SB_REFERENCE_SIZE];
	struct sb_err err = SB_ERR_INIT;
	struct sb_image_ref ref;

	if (sb_reference_parse(text, &ref, &err) < 0)
		return;
	sb_reference_format(&ref, full, sizeof(full));
	assert(sb_reference_parse(full, &ref, &err) == 0);
	sb_reference_format(&ref, again, sizeof(again));
	assert(!strcmp(full, again));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);

	assert(text);
	memcpy(text, data, size);
	text[size] = '\0';
	try_index(text, size);
	try_config(text, size);
	try_reference(text);
	free(text);
	return 0;
}
