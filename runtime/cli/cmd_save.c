/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_save.c - sbrun save: hands over to sbrun-image, which can make the tars of layers again */
#include <errno.h>
#include <stdio.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/err.h"
#include "runtime/cli/cli.h"
#include "runtime/cli/image_program.h"

/**
 * struct save_opts - options of save
 * @output:	file for the archive; NULL or "-" is standard output
 * @format:	what kind of archive
 */
struct save_opts {
	const char *output;
	const char *format;
};

#define OPT(field) offsetof(struct save_opts, field)
static const struct sb_opt table[] = {
	{ "output", 'o', SB_OPT_STR, OPT(output), "FILE",
	  "file for the archive, instead of standard output" },
	{ "format", 0, SB_OPT_STR, OPT(format), "FORMAT",
	  "oci-archive (the default) or docker-archive" },
	{ .name = NULL },
};

static int run(struct sb_cli *cli, void *opts, int argc, const char *argv[], struct sb_err *err)
{
	const struct save_opts *o = opts;
	_cleanup_free_ const char **args = calloc((size_t)argc + 11, sizeof(*args));
	int n = 0;

	if (!args)
		return sb_err_set(err, ENOMEM, "save images");
	args[n++] = "sbrun-image";
	args[n++] = "save";
	args[n++] = "--store";
	args[n++] = cli->store_path;
	if (o->output) {
		args[n++] = "--output";
		args[n++] = o->output;
	}
	if (o->format) {
		args[n++] = "--format";
		args[n++] = o->format;
	}
	if (cli->json)
		args[n++] = "--json";
	args[n++] = "--";
	for (int i = 0; i < argc; i++)
		args[n++] = argv[i];
	return sb_image_program_exec(cli, args, err);
}

const struct sb_cmd sb_cmd_save = {
	.name = "save",
	.args = "IMAGE…",
	.summary = "write images as an archive that can be loaded elsewhere",
	.text = "Layers and configuration are exactly those that came in, layers uncompressed. The "
		"archive\n"
		"goes to standard output or, complete or not at all, to a file.\n\n"
		"Examples:\n"
		"  sbrun save -o python.oci.tar python:3.12-slim\n"
		"  sbrun save --format docker-archive busybox alpine | docker load\n",
	.opts = table,
	.opts_size = sizeof(struct save_opts),
	.min_args = 1,
	.max_args = -1,
	.run = run,
};
