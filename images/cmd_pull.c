/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_pull.c - sbrun-image pull: an image of a registry into the store */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

#include "images/command.h"
#include "images/image.h"
#include "images/progress.h"
#include "images/pull.h"
#include "images/resolve.h"
#include "images/settings.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/err.h"
#include "runtime/base/path.h"

static void cleanup_settings(struct sb_settings *settings)
{
	sb_settings_done(settings);
}

static void cleanup_progress(struct sb_progress **progress)
{
	sb_progress_free(*progress);
}

static int parse_progress(const char *word, enum sb_progress_mode *ret, struct sb_err *err)
{
	static const struct {
		const char *word;
		enum sb_progress_mode mode;
	} modes[] = {
		{ "auto", SB_PROGRESS_AUTO },
		{ "none", SB_PROGRESS_NONE },
		{ "json", SB_PROGRESS_JSON },
	};

	for (size_t i = 0; i < SB_ARRAY_SIZE(modes); i++) {
		if (strcmp(word, modes[i].word) != 0)
			continue;
		*ret = modes[i].mode;
		return 0;
	}
	return sb_err_refuse(err, EINVAL, "--progress is auto, none or json, not '%.20s'", word);
}

static int print_pulled(const struct sb_image_options *o, const struct sb_loaded *image,
			struct sb_err *err)
{
	char familiar[SB_IMAGE_REFERENCE_SIZE] = "";
	_cleanup_free_ char *text = NULL;
	json_t *json;

	(void)sb_image_familiar(image->reference, familiar, sizeof(familiar));
	if (o->json) {
		json = json_pack("{s:s, s:s, s:s, s:s, s:s, s:I, s:I}", "event", "pulled",
				 "reference", familiar, "fullReference", image->reference, "digest",
				 image->digest, "indexDigest", image->stands_for, "layers",
				 (json_int_t)image->layers, "sizeBytes",
				 (json_int_t)image->size_bytes);
		if (json && !strcmp(image->digest, image->stands_for))
			(void)json_object_del(json, "indexDigest");
		text = json ? json_dumps(json, JSON_COMPACT) : NULL;
		json_decref(json);
		printf("%s\n", text ? text : "");
	} else if (o->quiet) {
		printf("%s\n", image->digest);
	} else {
		printf("Pulled: %s\n", familiar);
	}
	return fflush(stdout) != 0 ? sb_err_set(err, errno, "write to standard output") : 0;
}

/* The name under which the image is stored: a digest, being exact, goes before a tag. */
static void complete(struct sb_image_ref *ref, char *ret_full)
{
	if (ref->digest[0])
		ref->tag[0] = '\0';
	sb_reference_format(ref, ret_full, SB_REFERENCE_SIZE);
}

/**
 * sb_command_pull() - Pull an image
 * @o:		@store, @platform, @progress, @quiet, @json, and the reference as the only argument
 *
 * Needs root. On failure: see sb_pull_run().
 *
 * Return: 0, or a negative errno value
 */
int sb_command_pull(const struct sb_image_options *o, struct sb_err *err)
{
	_cleanup_(cleanup_settings) struct sb_settings settings = SB_SETTINGS_INIT;
	_cleanup_(cleanup_progress) struct sb_progress *progress = NULL;
	enum sb_progress_mode mode = o->quiet ? SB_PROGRESS_NONE : SB_PROGRESS_AUTO;
	struct sb_pull job = { .limits = &settings.limits };
	struct sb_loaded image = { .layers = 0 };
	char full[SB_REFERENCE_SIZE];
	_cleanup_fd_ int store = -1;
	struct sb_image_ref ref;

	if (sb_resolve_is_id(o->args[0])) {
		sb_err_refuse(err, EINVAL, "'%.80s' is no name of an image", o->args[0]);
		return sb_err_hint(err, "an image is pulled by its name, as in NAME@sha256:DIGEST");
	}
	if (sb_reference_parse(o->args[0], &ref, err) < 0 ||
	    (o->progress && parse_progress(o->progress, &mode, err) < 0))
		return -err->code;
	complete(&ref, full);
	sb_platform_host(&job.fetch.platform);
	if (o->platform && sb_platform_parse(o->platform, &job.fetch.platform, err) < 0)
		return -err->code;
	if (geteuid() != 0)
		return sb_err_refuse(err, EPERM, "only root can unpack an image");
	if (sb_settings_load(&settings, err) < 0)
		return -err->code;
	progress = sb_progress_new(mode, err);
	if (!progress)
		return -err->code;
	store = sb_ensure_dir_at(AT_FDCWD, o->store, 0700, err);
	if (store < 0)
		return -err->code;
	job.fetch.ref = &ref;
	job.fetch.settings = &settings;
	job.store_dirfd = store;
	job.reference = full;
	job.progress = progress;
	if (sb_pull_run(&job, &image, err) < 0)
		return -err->code;
	return print_pulled(o, &image, err);
}
