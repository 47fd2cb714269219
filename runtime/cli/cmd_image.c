/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_image.c - sbrun image, and those of its commands that change the store: tag, rm, prune */
#include <stdio.h>

#include "images/image.h"
#include "images/manage.h"
#include "runtime/base/err.h"
#include "runtime/base/json.h"
#include "runtime/base/log.h"
#include "runtime/cli/cli.h"
#include "runtime/cli/image_out.h"

static int tag(struct sb_cli *cli, void *opts, int argc, const char *argv[], struct sb_err *err)
{
	char familiar[SB_IMAGE_REFERENCE_SIZE];
	struct sb_image image = SB_IMAGE_INIT;

	(void)opts;
	(void)argc;
	if (sb_image_tag(cli->home.store_fd, argv[0], argv[1], err) < 0)
		return -err->code;
	if (!cli->json)
		return 0;
	if (sb_image_open(cli->home.store_fd, argv[1], &image, err) < 0)
		return -err->code;
	sb_out_json(json_pack("{s:s, s:s, s:s, s:s}", "reference",
			      sb_image_out_familiar(image.reference, familiar, sizeof(familiar)),
			      "fullReference", image.reference, "digest", image.digest, "id",
			      image.config_digest));
	sb_image_done(&image);
	return 0;
}

/**
 * struct rm_opts - options of image rm
 * @force:	also several names of one image, and the last name of one that is in use
 */
struct rm_opts {
	bool force;
};

static const struct sb_opt rm_table[] = {
	{ "force", 'f', SB_OPT_FLAG, offsetof(struct rm_opts, force), NULL,
	  "all names of a digest; the last name of an image in use" },
	{ .name = NULL },
};

static void print_names(const struct sb_image_changes *c)
{
	char familiar[SB_IMAGE_REFERENCE_SIZE];

	for (size_t i = 0; i < c->untagged.n; i++)
		printf("Untagged: %s\n",
		       sb_image_out_familiar(c->untagged.v[i], familiar, sizeof(familiar)));
	for (size_t i = 0; i < c->deleted.n; i++)
		printf("Deleted: %s\n", c->deleted.v[i]);
}

/* Names and sizes of one removal, added to those of others. */
static void add_changes(const struct sb_image_changes *c, json_t *untagged, json_t *deleted,
			struct sb_collected *sum)
{
	json_t *names = sb_image_json_familiar(&c->untagged);
	json_t *digests = sb_json_from_strv(&c->deleted);

	(void)json_array_extend(untagged, names);
	(void)json_array_extend(deleted, digests);
	json_decref(names);
	json_decref(digests);
	sum->layers.n += c->collected.layers.n;
	sum->layers.bytes += c->collected.layers.bytes;
	sum->blobs.n += c->collected.blobs.n;
	sum->blobs.bytes += c->collected.blobs.bytes;
	sum->partials.n += c->collected.partials.n;
	sum->partials.bytes += c->collected.partials.bytes;
	sum->stages.n += c->collected.stages.n;
	sum->stages.bytes += c->collected.stages.bytes;
}

static json_t *to_json(json_t *untagged, json_t *deleted, const struct sb_collected *sum)
{
	json_t *o = json_pack("{s:O, s:O}", "untagged", untagged, "deleted", deleted);
	json_t *sizes = sb_image_json_collected(sum);

	(void)json_object_update(o, sizes);
	json_decref(sizes);
	return o;
}

/* For every word, in order, whatever happens to the others; as sb_target_each() for sandboxes. */
static int rm(struct sb_cli *cli, void *opts, int argc, const char *argv[], struct sb_err *err)
{
	const struct rm_opts *o = opts;
	_cleanup_json_ json_t *untagged = json_array(), *deleted = json_array();
	struct sb_collected sum = SB_COLLECTED_INIT;
	bool failed = false;

	for (int i = 0; i < argc; i++) {
		struct sb_image_changes c = SB_IMAGE_CHANGES_INIT;
		struct sb_err e = SB_ERR_INIT;
		char text[SB_ERR_MSG_MAX + SB_ERR_HINT_MAX];
		int ret = sb_image_remove(cli->home.store_fd, argv[i], o->force, &c, &e);

		if (!cli->json)
			print_names(&c);
		add_changes(&c, untagged, deleted, &sum);
		sb_image_changes_done(&c);
		if (ret == 0)
			continue;
		if (failed) /* standard output is one JSON value at most: for the last failure */
			sb_log(SB_LOG_ERROR, "%s", sb_err_text(err, text, sizeof(text)));
		*err = e;
		failed = true;
	}
	if (failed)
		return sb_out_partial(cli, to_json(untagged, deleted, &sum), err);
	if (cli->json)
		sb_out_json(to_json(untagged, deleted, &sum));
	return 0;
}

/**
 * struct prune_opts - options of image prune
 * @all:	also images that no sandbox uses
 */
struct prune_opts {
	bool all;
};

static const struct sb_opt prune_table[] = {
	{ "all", 'a', SB_OPT_FLAG, offsetof(struct prune_opts, all), NULL,
	  "also images that no sandbox uses, with their names" },
	{ .name = NULL },
};

static int prune(struct sb_cli *cli, void *opts, int argc, const char *argv[], struct sb_err *err)
{
	const struct prune_opts *o = opts;
	_cleanup_json_ json_t *untagged = json_array(), *deleted = json_array();
	struct sb_image_changes c = SB_IMAGE_CHANGES_INIT;
	struct sb_collected sum = SB_COLLECTED_INIT;
	int ret = sb_images_prune(cli->home.store_fd, o->all, &c, err);

	(void)argc;
	(void)argv;
	if (!cli->json)
		print_names(&c);
	add_changes(&c, untagged, deleted, &sum);
	sb_image_changes_done(&c);
	if (ret < 0)
		return sb_out_partial(cli, to_json(untagged, deleted, &sum), err);
	if (cli->json)
		sb_out_json(to_json(untagged, deleted, &sum));
	else
		sb_image_out_collected(&sum);
	return 0;
}

static const struct sb_cmd cmd_tag = {
	.name = "image tag",
	.args = "IMAGE NAME[:TAG]",
	.summary = "give an image one more name",
	.text = "A name that stands for another image moves on to this one.\n\n"
		"Example:\n"
		"  sbrun image tag python:3.12-slim localhost/base:stable\n",
	.min_args = 2,
	.max_args = 2,
	.run = tag,
};

static const struct sb_cmd cmd_rm = {
	.name = "image rm",
	.args = "IMAGE…",
	.summary = "remove names of images, and images that have none left",
	.text = "By name, that name goes; by digest or id, all names do. Files go when no name is "
		"left and no\n"
		"sandbox uses the image. Layers of other images stay.\n\n"
		"--json: untagged, deleted, what was freed, and error if one failed; what went "
		"is gone then, too.\n\n"
		"Examples:\n"
		"  sbrun image rm python:3.12-slim\n"
		"  sbrun image rm -f 3f2a9c41d07b\n",
	.opts = rm_table,
	.opts_size = sizeof(struct rm_opts),
	.min_args = 1,
	.max_args = -1,
	.collects = true,
	.run = rm,
};

static const struct sb_cmd cmd_prune = {
	.name = "image prune",
	.args = "",
	.summary = "remove what no image and no sandbox needs, and unfinished downloads",
	.text = "Downloads that somebody works on stay. 'sbrun gc' does the same, but for "
		"downloads less\n"
		"than a day old.\n",
	.opts = prune_table,
	.opts_size = sizeof(struct prune_opts),
	.collects = true,
	.run = prune,
};

static const struct sb_cmd *const commands[] = {
	&sb_cmd_image_ls,
	&sb_cmd_image_inspect,
	&sb_cmd_image_history,
	&cmd_tag,
	&cmd_rm,
	&cmd_prune,
	&sb_cmd_image_df,
	NULL,
};

const struct sb_cmd sb_cmd_image = {
	.name = "image",
	.args = "COMMAND …",
	.summary = "manage images",
	.text = "IMAGE is a name, a name with a digest, a digest of manifest or configuration, or "
		"at least\n"
		"four digits that only one of those begins with, 'sha256:' in front or not.\n",
	.min_args = 1,
	.max_args = -1,
	.subs = commands,
};
