/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_images.c - sbrun images, sbrun image ls */
#include <stdio.h>
#include <string.h>

#include "images/image.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/err.h"
#include "runtime/base/sys.h"
#include "runtime/cli/cli.h"
#include "runtime/cli/image_out.h"

static json_t *to_json(const struct sb_image_info *i, const char *familiar)
{
	char created[SB_TIME_LEN];

	return json_pack("{s:s, s:s, s:s, s:s?, s:I, s:I, s:I}", "reference", familiar,
			 "fullReference", i->reference, "digest", i->digest, "createdAt",
			 i->created_ms >= 0 ? sb_time_format(i->created_ms, created) : NULL,
			 "sizeBytes", (json_int_t)i->size_bytes, "sharedBytes",
			 (json_int_t)i->shared_bytes, "uniqueBytes",
			 (json_int_t)(i->size_bytes - i->shared_bytes));
}

static void print_one(const struct sb_image_info *i, const char *familiar, const int widths[])
{
	char age[32], size[32], digest[20];
	const char *hex = strchr(i->digest, ':');
	const char *cells[] = { familiar, digest, age, size };

	snprintf(digest, sizeof(digest), "%.12s", hex ? hex + 1 : i->digest);
	sb_out_age(i->created_ms, age, sizeof(age));
	sb_out_bytes(i->size_bytes, size, sizeof(size));
	sb_out_row(cells, widths, SB_ARRAY_SIZE(cells));
}

static int run(struct sb_cli *cli, void *opts, int argc, const char *argv[], struct sb_err *err)
{
	static const int widths[] = { 40, 12, 12, 0 };
	static const char *const head[] = { "REFERENCE", "DIGEST", "CREATED", "SIZE" };
	struct sb_image_list list = SB_IMAGE_LIST_INIT;
	json_t *array = json_array();

	(void)opts;
	(void)argc;
	(void)argv;
	if (sb_images_list(cli->home.store_fd, &list, err) < 0) {
		json_decref(array);
		return -err->code;
	}
	if (!cli->json)
		sb_out_row(head, widths, SB_ARRAY_SIZE(head));
	for (size_t i = 0; i < list.n; i++) {
		char familiar[SB_IMAGE_REFERENCE_SIZE];

		sb_image_out_familiar(list.v[i].reference, familiar, sizeof(familiar));
		if (cli->json)
			(void)json_array_append_new(array, to_json(&list.v[i], familiar));
		else
			print_one(&list.v[i], familiar, widths);
	}
	sb_images_list_done(&list);
	if (cli->json)
		sb_out_json(json_incref(array));
	json_decref(array);
	return 0;
}

#define SUMMARY "list the images that sandboxes can be made from"
#define TEXT                                                                                 \
	"SIZE is that of the unpacked files; --json also tells how much of it other images " \
	"share.\n"

const struct sb_cmd sb_cmd_images = {
	.name = "images",
	.args = "",
	.summary = SUMMARY,
	.text = TEXT,
	.collects = true,
	.run = run,
};

const struct sb_cmd sb_cmd_image_ls = {
	.name = "image ls",
	.args = "",
	.summary = SUMMARY,
	.text = TEXT "The same as 'sbrun images'.\n",
	.collects = true,
	.run = run,
};
