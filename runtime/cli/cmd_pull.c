/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_pull.c - sbrun pull */
#include <stdbool.h>
#include <stddef.h>

#include "runtime/cli/cli.h"
#include "runtime/cli/image_program.h"

/**
 * struct pull_opts - options of pull
 * @platform:	what the image must be for
 * @quiet:	no progress
 */
struct pull_opts {
	const char *platform;
	bool quiet;
};

#define OPT(field) offsetof(struct pull_opts, field)
static const struct sb_opt table[] = {
	{ "platform", 0, SB_OPT_STR, OPT(platform), "OS/ARCH[/V]",
	  "instead of this machine's, such as linux/arm64" },
	{ "quiet", 'q', SB_OPT_FLAG, OPT(quiet), NULL, "no progress, print the digest only" },
	{ .name = NULL },
};

static int run(struct sb_cli *cli, void *opts, int argc, const char *argv[], struct sb_err *err)
{
	const struct pull_opts *o = opts;
	const char *args[13] = { "sbrun-image", "pull", "--store", cli->store_path };
	int n = 4;

	(void)argc;
	if (o->platform) {
		args[n++] = "--platform";
		args[n++] = o->platform;
	}
	if (o->quiet)
		args[n++] = "--quiet";
	if (cli->json) {
		args[n++] = "--json";
		args[n++] = "--progress";
		args[n++] = o->quiet ? "none" : "json";
	}
	args[n++] = "--";
	args[n] = argv[0];
	return sb_image_program_exec(cli, args, err);
}

const struct sb_cmd sb_cmd_pull = {
	.name = "pull",
	.args = "REF",
	.summary = "get an image from its registry",
	.text = "REF is [HOST[:PORT]/]NAME[:TAG][@DIGEST]; without HOST it is of Docker Hub.\n"
		"A download that was interrupted is gone on with. Credentials, mirrors and\n"
		"certificates: see README. SBRUN_CONFIG names another configuration file than\n"
		"/etc/sbrun/config.json.\n\n"
		"Examples:\n"
		"  sbrun pull python:3.12-slim\n"
		"  sbrun pull '[2001:db8::1]:5000/team/app:v1'\n",
	.opts = table,
	.opts_size = sizeof(struct pull_opts),
	.min_args = 1,
	.max_args = 1,
	.collects = true,
	.run = run,
};
