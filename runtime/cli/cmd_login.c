/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_login.c - sbrun login, logout: hand over to sbrun-image, which talks to registries */
#include <stdbool.h>
#include <stddef.h>

#include "runtime/cli/cli.h"
#include "runtime/cli/image_program.h"

/**
 * struct login_opts - options of login
 * @username:		user name at the registry
 * @password_stdin:	the password comes from standard input
 */
struct login_opts {
	const char *username;
	bool password_stdin;
};

#define OPT(field) offsetof(struct login_opts, field)
static const struct sb_opt table[] = {
	{ "username", 'u', SB_OPT_STR, OPT(username), "USER", "asked for if it is missing" },
	{ "password-stdin", 0, SB_OPT_FLAG, OPT(password_stdin), NULL,
	  "read the password from standard input instead of asking for it" },
	{ .name = NULL },
};

static int run_login(struct sb_cli *cli, void *opts, int argc, const char *argv[],
		     struct sb_err *err)
{
	const struct login_opts *o = opts;
	const char *args[9] = { "sbrun-image", "login" };
	int n = 2;

	(void)argc;
	if (o->username) {
		args[n++] = "--username";
		args[n++] = o->username;
	}
	if (o->password_stdin)
		args[n++] = "--password-stdin";
	if (cli->json)
		args[n++] = "--json";
	args[n++] = "--";
	args[n++] = argv[0];
	return sb_image_program_exec(cli, args, err);
}

static int run_logout(struct sb_cli *cli, void *opts, int argc, const char *argv[],
		      struct sb_err *err)
{
	const char *args[6] = { "sbrun-image", "logout" };
	int n = 2;

	(void)opts;
	(void)argc;
	if (cli->json)
		args[n++] = "--json";
	args[n++] = "--";
	args[n++] = argv[0];
	return sb_image_program_exec(cli, args, err);
}

const struct sb_cmd sb_cmd_login = {
	.name = "login",
	.args = "REGISTRY",
	.summary = "keep a user name and a password for a registry",
	.text = "They are tried first, and kept where docker and podman look as well:\n"
		"$REGISTRY_AUTH_FILE if it is set; else the first of their files that has\n"
		"something for REGISTRY; else docker's, config.json in $DOCKER_CONFIG or\n"
		"~/.docker. If that file names a credential helper, it gets them instead;\n"
		"otherwise they are in the file, readable by you alone, in base64.\n"
		"SBRUN_CONFIG names another configuration file than /etc/sbrun/config.json.\n\n"
		"Examples:\n"
		"  sbrun login docker.io\n"
		"  sbrun login -u robot --password-stdin registry.example:5000 <token-file\n",
	.opts = table,
	.opts_size = sizeof(struct login_opts),
	.min_args = 1,
	.max_args = 1,
	.no_home = true,
	.run = run_login,
};

const struct sb_cmd sb_cmd_logout = {
	.name = "logout",
	.args = "REGISTRY",
	.summary = "forget the user name and password for a registry",
	.text = "In all files of docker and podman ($REGISTRY_AUTH_FILE alone if it is set),\n"
		"and in the credential helpers that they name. What podman keeps for single\n"
		"repositories stays, and is shown.\n",
	.min_args = 1,
	.max_args = 1,
	.no_home = true,
	.run = run_logout,
};
