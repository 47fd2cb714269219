/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_images.c - sbrun images, sbrun image ls */
#include <stdio.h>
#include <string.h>

#include "images/image.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/err.h"
#include "runtime/base/str.h"
#include "runtime/base/sys.h"
#include "runtime/cli/cli.h"
#include "runtime/cli/image_out.h"
#include "runtime/cli/table.h"

/**
 * struct images_opts - options of images
 * @quiet:	only ids
 */
struct images_opts {
	bool quiet;
};

static const struct sb_opt table[] = {
	{ "quiet", 'q', SB_OPT_FLAG, offsetof(struct images_opts, quiet), NULL, "only the ids" },
	{ .name = NULL },
};

/* A number, or null for an image that cannot be read. */
static json_t *number(const struct sb_image_info *i, uint64_t value)
{
	return i->error ? json_null() : json_integer((json_int_t)value);
}

static json_t *to_json(const struct sb_image_info *i)
{
	char familiar[SB_IMAGE_REFERENCE_SIZE], created[SB_TIME_LEN];

	return json_pack(
		"{s:s, s:s, s:s, s:s?, s:s?, s:s?, s:s?, s:s?, s:s?, s:o, s:o, s:o, s:i, s:s?}",
		"reference", sb_image_out_familiar(i->reference, familiar, sizeof(familiar)),
		"fullReference", i->reference, "digest", i->digest, "indexDigest", i->index, "id",
		i->id, "createdAt",
		i->created_ms >= 0 ? sb_time_format(i->created_ms, created) : NULL, "os", i->os,
		"architecture", i->architecture, "variant", i->variant, "sizeBytes",
		number(i, i->size_bytes), "sharedBytes", number(i, i->shared_bytes), "uniqueBytes",
		number(i, i->size_bytes - i->shared_bytes), "sandboxes", (int)i->sandboxes, "error",
		i->error);
}

static void print_json(const struct sb_image_list *list)
{
	json_t *array = json_array();

	for (size_t i = 0; i < list->n; i++)
		(void)json_array_append_new(array, to_json(&list->v[i]));
	sb_out_json(array);
}

/* An image has a line for each of its names, but one id; one that cannot be read has none. */
static void print_ids(const struct sb_image_list *list)
{
	for (size_t i = 0; i < list->n; i++) {
		char id[SB_IMAGE_SHORT_ID];
		bool again = !list->v[i].id;

		for (size_t k = 0; k < i && !again; k++)
			again = list->v[k].id && !strcmp(list->v[k].id, list->v[i].id);
		if (!again)
			puts(sb_image_out_id(list->v[i].id, id));
	}
}

static void add_row(struct sb_strv *rows, const struct sb_image_info *i)
{
	char familiar[SB_IMAGE_REFERENCE_SIZE], id[SB_IMAGE_SHORT_ID], age[32];
	char size[32] = "unreadable";
	const char *cells[] = { familiar, id, age, size };

	sb_image_out_familiar(i->reference, familiar, sizeof(familiar));
	sb_image_out_id(i->id, id);
	sb_out_age(i->created_ms, age, sizeof(age));
	if (!i->error)
		sb_out_bytes(i->size_bytes, size, sizeof(size));
	sb_table_add(rows, cells, SB_ARRAY_SIZE(cells));
}

static void print_table(const struct sb_image_list *list)
{
	static const char *const head[] = { "REFERENCE", "IMAGE ID", "CREATED", "SIZE" };
	struct sb_strv rows = SB_STRV_INIT;

	sb_table_add(&rows, head, SB_ARRAY_SIZE(head));
	for (size_t i = 0; i < list->n; i++)
		add_row(&rows, &list->v[i]);
	sb_table_print(&rows, SB_ARRAY_SIZE(head));
}

static int run(struct sb_cli *cli, void *opts, int argc, const char *argv[], struct sb_err *err)
{
	const struct images_opts *o = opts;
	struct sb_image_list list = SB_IMAGE_LIST_INIT;

	(void)argc;
	(void)argv;
	if (sb_images_list(cli->home.store_fd, &list, err) < 0)
		return -err->code;
	if (cli->json)
		print_json(&list);
	else if (o->quiet)
		print_ids(&list);
	else
		print_table(&list);
	sb_images_list_done(&list);
	return 0;
}

#define SUMMARY "list the images that sandboxes can be made from"
#define TEXT                                                                                       \
	"IMAGE ID is the digest of the configuration, as docker shows it. SIZE is that of the "    \
	"unpacked\n"                                                                               \
	"files. 'sbrun image inspect' says why an image is unreadable.\n\n"                        \
	"--json: reference, fullReference, digest, indexDigest (what the name stands for in its "  \
	"registry),\n"                                                                             \
	"id, createdAt, os, architecture, variant, sizeBytes, sharedBytes (in layers that other "  \
	"images\n"                                                                                 \
	"have, too), uniqueBytes, sandboxes (count), error (null, or why it cannot be read: then " \
	"what it\n"                                                                                \
	"says itself is null).\n"

const struct sb_cmd sb_cmd_images = {
	.name = "images",
	.args = "",
	.summary = SUMMARY,
	.text = TEXT,
	.opts = table,
	.opts_size = sizeof(struct images_opts),
	.collects = true,
	.run = run,
};

const struct sb_cmd sb_cmd_image_ls = {
	.name = "image ls",
	.args = "",
	.summary = SUMMARY,
	.text = TEXT "The same as 'sbrun images'.\n",
	.opts = table,
	.opts_size = sizeof(struct images_opts),
	.collects = true,
	.run = run,
};
