/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_load.c - sbrun load: hands over to sbrun-image, which meets the hostile bytes */
#include <stddef.h>

#include "runtime/cli/cli.h"
#include "runtime/cli/image_program.h"

/**
 * struct load_opts - options of load
 * @name:	reference that the image gets
 */
struct load_opts {
	const char *name;
};

#define OPT(field) offsetof(struct load_opts, field)
static const struct sb_opt table[] = {
	{ "name", 'n', SB_OPT_STR, OPT(name), "REF",
	  "reference of the image, such as python:3.12-slim" },
	{ .name = NULL },
};

static int run(struct sb_cli *cli, void *opts, int argc, const char *argv[], struct sb_err *err)
{
	const struct load_opts *o = opts;
	const char *args[9] = { "sbrun-image", "load", "--store", cli->store_path };
	int n = 4;

	(void)argc;
	if (o->name) {
		args[n++] = "--name";
		args[n++] = o->name;
	}
	if (cli->json)
		args[n++] = "--json";
	args[n++] = argv[0];
	return sb_image_program_exec(cli, args, err);
}

const struct sb_cmd sb_cmd_load = {
	.name = "load",
	.args = "DIR|TAR|-",
	.summary = "load an image from an OCI layout, an oci-archive or a docker-archive",
	.text = "The source is an OCI image layout directory, or a tar of one, or a 'docker save' "
		"tar;\n"
		"'-' reads it from standard input. Every digest is verified before anything can be "
		"used.\n\n"
		"Examples:\n"
		"  sbrun load --name python:3.12-slim python.oci.tar\n"
		"  docker save busybox | sbrun load -\n",
	.opts = table,
	.opts_size = sizeof(struct load_opts),
	.min_args = 1,
	.max_args = 1,
	.collects = true,
	.inherits = true,
	.run = run,
};
