/* SPDX-License-Identifier: Apache-2.0 */
/*
 * main.c - sbrun-image, the program behind the commands of sbrun that meet archives and registries
 *
 * Output and exit codes are as in the text of --help below. See confine.c for the processes it
 * consists of.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <linux/close_range.h>

#include <jansson.h>

#include "images/command.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/err.h"
#include "runtime/base/json.h"
#include "runtime/base/log.h"

#define EXIT_FAILED 125 /* as docker run: we failed, as opposed to a command */

static const char help[] =
	"Usage: sbrun-image load --store DIR [--name REFERENCE] [--json] SOURCE\n"
	"       sbrun-image pull --store DIR [--platform OS/ARCH[/VARIANT]] [--quiet]\n"
	"                        [--progress MODE] [--json] REFERENCE\n"
	"       sbrun-image login [--username USER] [--password-stdin] [--json] REGISTRY\n"
	"       sbrun-image logout [--json] REGISTRY\n"
	"       sbrun-image save --store DIR [--output FILE] [--format FORMAT] [--json] IMAGE...\n"
	"\n"
	"The part of sbrun that meets archives and registries. Called by the commands of sbrun.\n"
	"\n"
	"load unpacks container images into the store. SOURCE is an OCI layout directory, an\n"
	"oci-archive, a docker-archive (both may be compressed by gzip or zstd), or '-' for one\n"
	"of the archives on standard input.\n"
	"\n"
	"pull fetches a container image from its registry.\n"
	"\n"
	"login tries a user name and a password at a registry and keeps them if they are\n"
	"accepted, logout forgets them.\n"
	"\n"
	"save writes images of the store as an archive, to FILE or to standard output.\n"
	"\n"
	"  --store DIR        the store; made with mode 0700 if it is missing, but not by save\n"
	"  --name REFERENCE   name for the image; default: the names in the archive\n"
	"  --platform P       the image for linux/ARCH[/VARIANT] instead of this machine\n"
	"  --quiet            no progress, and print the digest of the manifest only\n"
	"  --progress MODE    auto: bars on a terminal, else lines, on standard error; none;\n"
	"                     json: JSON lines on standard output\n"
	"  --username USER    asked for on the terminal if it is missing\n"
	"  --password-stdin   take the password from standard input; else it is asked for\n"
	"  --output FILE      where the archive goes; default: '-', standard output\n"
	"  --format FORMAT    oci-archive (default) or docker-archive\n"
	"  --json             load: print "
	"{\"images\":[{\"reference\",\"fullReference\",\"digest\",\"layers\",\n"
	"                     \"sizeBytes\"}]}; pull: one such object with \"event\":\"pulled\";\n"
	"                     save to a FILE: "
	"{\"images\":[{\"reference\",\"digest\"}],\"sizeBytes\"}; on\n"
	"                     failure {\"error\":{\"code\",\"message\",\"hint\"}}\n"
	"  --debug            show how long the steps take\n"
	"  --help             print this text\n"
	"\n"
	"Exit codes: 0 done, 125 failed. Errors are one line on standard "
	"error,\n"
	"with --json an object on standard output.\n";

/* A command, the letters of the options it takes, and how many arguments. */
struct command {
	const char *name;
	const char *accepts;
	int min_args;
	int max_args;
	int (*run)(const struct sb_image_options *o, struct sb_err *err);
};

static const struct command commands[] = {
	{ "load", "snj", 1, 1, sb_command_load },        { "pull", "spPqj", 1, 1, sb_command_pull },
	{ "login", "uwj", 1, 1, sb_command_login },      { "logout", "j", 1, 1, sb_command_logout },
	{ "save", "sofj", 1, INT_MAX, sb_command_save },
};

static const struct command *find_command(const char *name)
{
	for (size_t i = 0; name && i < SB_ARRAY_SIZE(commands); i++)
		if (!strcmp(name, commands[i].name))
			return &commands[i];
	return NULL;
}

static int print_error(const char *command, const struct sb_err *err, bool as_json)
{
	char text[SB_ERR_MSG_MAX + SB_ERR_HINT_MAX + 64];
	_cleanup_free_ char *line = NULL;
	json_t *o;

	if (!as_json) {
		dprintf(STDERR_FILENO, "sbrun: %s%s%s\n", command ? command : "",
			command ? ": " : "", sb_err_text(err, text, sizeof(text)));
		return EXIT_FAILED;
	}
	/* An error is data too: standard output. On one line, because a pull prints JSON lines. */
	o = sb_json_from_err(err);
	line = o ? json_dumps(o, JSON_COMPACT) : NULL;
	dprintf(STDOUT_FILENO, "%s\n", line ? line : "{\"error\":{\"code\":\"EIO\"}}");
	json_decref(o);
	return EXIT_FAILED;
}

static int parse_options(const struct command *command, int argc, char **argv,
			 struct sb_image_options *o, bool *ret_help, struct sb_err *err)
{
	static const struct option table[] = {
		{ "store", required_argument, NULL, 's' },
		{ "name", required_argument, NULL, 'n' },
		{ "platform", required_argument, NULL, 'p' },
		{ "progress", required_argument, NULL, 'P' },
		{ "quiet", no_argument, NULL, 'q' },
		{ "username", required_argument, NULL, 'u' },
		{ "password-stdin", no_argument, NULL, 'w' },
		{ "output", required_argument, NULL, 'o' },
		{ "format", required_argument, NULL, 'f' },
		{ "json", no_argument, NULL, 'j' },
		{ "debug", no_argument, NULL, 'd' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	int c;

	opterr = 0;
	while ((c = getopt_long(argc, argv, ":", table, NULL)) != -1) {
		if (c == ':' || c == '?' ||
		    (c != 'h' && c != 'd' && (!command || !strchr(command->accepts, c))))
			return sb_err_refuse(err, EINVAL, "option '%.60s' %s", argv[optind - 1],
					     c == ':' ? "needs a value" : "is not known");
		if (c == 'd')
			sb_log_init(SB_LOG_DEBUG, false);
		else if (c == 's')
			o->store = optarg;
		else if (c == 'n')
			o->name = optarg;
		else if (c == 'p')
			o->platform = optarg;
		else if (c == 'P')
			o->progress = optarg;
		else if (c == 'q')
			o->quiet = true;
		else if (c == 'u')
			o->username = optarg;
		else if (c == 'w')
			o->password_stdin = true;
		else if (c == 'o')
			o->output = optarg;
		else if (c == 'f')
			o->format = optarg;
		else if (c == 'j')
			o->json = true;
		else
			*ret_help = true;
	}
	o->args = argv + optind;
	o->n_args = argc - optind;
	return 0;
}

/**
 * main() - sbrun-image
 * @argc:	see --help
 * @argv:	likewise
 *
 * Return: exit code, see --help
 */
int main(int argc, char **argv)
{
	const char *word = argc > 1 && argv[1][0] != '-' ? argv[1] : NULL;
	const struct command *command = find_command(word);
	struct sb_err err = SB_ERR_INIT;
	struct sb_image_options o = { .json = false };
	bool want_help = false;
	int skip = command ? 1 : 0, r;

	/* A standard stream that is missing would become the next file that is opened. */
	while ((r = open("/dev/null", O_RDWR)) >= 0 && r <= STDERR_FILENO)
		;
	/* What the caller left open may be what is to be loaded (/dev/fd/N), and goes no further.
	 */
	(void)close_range(STDERR_FILENO + 1, ~0U, CLOSE_RANGE_CLOEXEC);
	r = parse_options(command, argc - skip, argv + skip, &o, &want_help, &err);
	if (r == 0 && want_help)
		return fputs(help, stdout) < 0 ? EXIT_FAILED : EXIT_SUCCESS;
	if (r == 0 && !command)
		r = sb_err_refuse(&err, EINVAL, "expected a command, see --help");
	if (r == 0 && (o.n_args < command->min_args || o.n_args > command->max_args))
		r = sb_err_refuse(&err, EINVAL, "wrong number of arguments, see --help");
	if (r == 0 && strchr(command->accepts, 's') && !o.store)
		r = sb_err_refuse(&err, EINVAL, "option '--store' is missing");
	if (r == 0)
		r = command->run(&o, &err);
	return r < 0 ? print_error(command ? command->name : NULL, &err, o.json) : EXIT_SUCCESS;
}
