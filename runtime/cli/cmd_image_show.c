/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_image_show.c - sbrun image inspect, sbrun image history */
#include <stdio.h>
#include <string.h>

#include "images/config.h"
#include "images/describe.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/err.h"
#include "runtime/base/json.h"
#include "runtime/base/str.h"
#include "runtime/cli/cli.h"

#define CREATED_BY_SHOWN 45 /* bytes, as docker */

static int inspect(struct sb_cli *cli, void *opts, int argc, const char *argv[], struct sb_err *err)
{
	_cleanup_json_ json_t *list = json_array();

	(void)opts;
	for (int i = 0; i < argc; i++) {
		json_t *o = NULL;

		if (sb_image_describe(cli->home.store_fd, argv[i], &o, err) < 0)
			return -err->code;
		(void)json_array_append_new(list, o);
	}
	sb_out_json(json_incref(argc > 1 ? list : json_array_get(list, 0)));
	return 0;
}

/* A text of the image as one line of at most @size - 1 bytes. */
static char *one_line(const json_t *obj, const char *key, char *buf, size_t size)
{
	const char *text = json_string_value(json_object_get(obj, key));

	snprintf(buf, size, "%s", text ? text : "-");
	for (char *p = buf; *p; p++)
		if (strchr("\t\n\r", *p))
			*p = ' ';
	return sb_str_clean(buf);
}

static void print_entry(const json_t *entry, const int widths[])
{
	const char *created = json_string_value(json_object_get(entry, "createdAt"));
	char age[32], by[CREATED_BY_SHOWN + 1], size[32], comment[256];
	const char *cells[] = { age, by, size, comment };

	sb_out_age(created ? sb_config_time(created) : -1, age, sizeof(age));
	one_line(entry, "createdBy", by, sizeof(by));
	one_line(entry, "comment", comment, sizeof(comment));
	sb_out_bytes((uint64_t)json_integer_value(json_object_get(entry, "sizeBytes")), size,
		     sizeof(size));
	sb_out_row(cells, widths, SB_ARRAY_SIZE(cells));
}

static int history(struct sb_cli *cli, void *opts, int argc, const char *argv[], struct sb_err *err)
{
	static const int widths[] = { 12, CREATED_BY_SHOWN, 10, 0 };
	static const char *const head[] = { "CREATED", "CREATED BY", "SIZE", "COMMENT" };
	_cleanup_json_ json_t *list = NULL;
	const json_t *entry;
	size_t i;

	(void)opts;
	(void)argc;
	if (sb_image_history(cli->home.store_fd, argv[0], &list, err) < 0)
		return -err->code;
	if (cli->json) {
		sb_out_json(json_incref(list));
		return 0;
	}
	sb_out_row(head, widths, SB_ARRAY_SIZE(head));
	json_array_foreach(list, i, entry) print_entry(entry, widths);
	return 0;
}

const struct sb_cmd sb_cmd_image_inspect = {
	.name = "image inspect",
	.args = "IMAGE…",
	.summary = "show all that is known about an image, as JSON",
	.text = "One argument gives one object, several give a list. Fields: reference, "
		"fullReference,\n"
		"references (all its names), digest, indexDigest (what the name stands for in its "
		"registry),\n"
		"id (digest of the configuration), createdAt, os, architecture, variant, author, "
		"config (env,\n"
		"entrypoint, cmd, workingDir, user, stopSignal, exposedPorts, labels, volumes), "
		"layers (diffId,\n"
		"digest, mediaType, sizeBytes as unpacked, compressedBytes), sizeBytes, "
		"historyCount, sandboxes\n"
		"(made of it). Null: the image doesn't say.\n\n"
		"Example:\n"
		"  sbrun image inspect python:3.12-slim\n",
	.min_args = 1,
	.max_args = -1,
	.run = inspect,
};

const struct sb_cmd sb_cmd_image_history = {
	.name = "image history",
	.args = "IMAGE",
	.summary = "show how an image was made, as it says itself",
	.text = "The newest step comes first. Sizes are those of the unpacked layers; steps "
		"without a layer\n"
		"have none.\n",
	.min_args = 1,
	.max_args = 1,
	.run = history,
};
