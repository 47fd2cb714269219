/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_version.c - sbrun version */
#include <stdio.h>

#include "runtime/cli/cli.h"

static int run(struct sb_cli *cli, void *opts, int argc, const char *argv[], struct sb_err *err)
{
	(void)opts;
	(void)argc;
	(void)argv;
	(void)err;
	if (cli->json)
		sb_out_json(json_pack("{s:s}", "version", SBRUN_VERSION));
	else
		puts("sbrun " SBRUN_VERSION);
	return 0;
}

const struct sb_cmd sb_cmd_version = {
	.name = "version",
	.args = "",
	.summary = "print the version",
	.no_home = true,
	.run = run,
};
