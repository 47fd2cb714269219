/* SPDX-License-Identifier: Apache-2.0 */
/* main.c - the command table, and what all commands have in common */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/err.h"
#include "runtime/base/log.h"
#include "runtime/cli/cli.h"
#include "runtime/sandbox/gc.h"

static const struct sb_cmd *const commands[] = {
	&sb_cmd_run,    &sb_cmd_create,  &sb_cmd_exec,  &sb_cmd_ps,     &sb_cmd_inspect,
	&sb_cmd_logs,   &sb_cmd_ports,   &sb_cmd_wait,  &sb_cmd_kill,   &sb_cmd_stop,
	&sb_cmd_rm,     &sb_cmd_files,   &sb_cmd_pull,  &sb_cmd_load,   &sb_cmd_save,
	&sb_cmd_images, &sb_cmd_image,   &sb_cmd_login, &sb_cmd_logout, &sb_cmd_gc,
	&sb_cmd_info,   &sb_cmd_version, NULL,
};

#define COMMANDS_MAX 32 /* in one table */
static_assert(SB_ARRAY_SIZE(commands) <= COMMANDS_MAX, "names of commands would be cut");

#define OPT(field) offsetof(struct sb_cli, field)
static const struct sb_opt common[] = {
	{ "json", 0, SB_OPT_FLAG, OPT(json), NULL, "print results and errors as JSON" },
	{ "format", 0, SB_OPT_JSON, OPT(json), "json", "the same" },
	{ "root", 0, SB_OPT_STR, OPT(store_path), "DIR",
	  "images and writable layers (SBRUN_ROOT, " SB_STORE_DEFAULT ")" },
	{ "run-dir", 0, SB_OPT_STR, OPT(run_path), "DIR",
	  "state of sandboxes (SBRUN_RUN, " SB_RUN_DEFAULT ")" },
	{ "debug", 0, SB_OPT_FLAG, OPT(debug), NULL, "show what is done and how long it takes" },
	{ "help", 'h', SB_OPT_FLAG, OPT(help), NULL, "print this help" },
	{ .name = NULL },
};

/* These make no sense after a command. */
static const struct sb_opt before[] = {
	{ "version", 0, SB_OPT_FLAG, OPT(version), NULL, "the same as the command version" },
	{ .name = NULL },
};

/* The word that stands for a command in its table: "rm" of "image rm". */
static const char *last_word(const struct sb_cmd *cmd)
{
	const char *space = strrchr(cmd->name, ' ');

	return space ? space + 1 : cmd->name;
}

static void print_commands(const struct sb_cmd *const *table, FILE *out)
{
	fputs("\nCommands:\n", out);
	for (; *table; table++)
		fprintf(out, "  %-8s  %s\n", last_word(*table), (*table)->summary);
}

static void print_overview(FILE *out)
{
	fputs("sbrun - sandboxes from OCI images, with IPv6-only networking\n\n"
	      "Usage: sbrun [OPTIONS] COMMAND …\n",
	      out);
	print_commands(commands, out);
	fputs("\nOptions, before the command or among its own:\n", out);
	sb_opts_help(common, NULL, out);
	sb_opts_help(before, NULL, out);
	fputs("\n'sbrun COMMAND --help' tells more about one.\n", out);
}

static void print_help(const struct sb_cmd *cmd)
{
	printf("%s\n\nUsage: sbrun %s [OPTIONS]%s%s\n", cmd->summary, cmd->name,
	       cmd->args[0] ? " " : "", cmd->args);
	if (cmd->subs)
		print_commands(cmd->subs, stdout);
	if (cmd->opts) {
		printf("\nOptions:\n");
		sb_opts_help(cmd->opts, NULL, stdout);
	}
	printf("\nOptions of every command:\n");
	sb_opts_help(common, cmd->opts, stdout);
	if (cmd->text)
		printf("\n%s", cmd->text);
}

/* Words of docker and podman that we have under another name, or not at all. @below: image */
static const struct {
	const char *word;
	bool below;
	const char *hint;
} habits[] = {
	{ "rmi", false, "did you mean 'image rm'?" },
	{ "tag", false, "did you mean 'image tag'?" },
	{ "history", false, "did you mean 'image history'?" },
	{ "push", false, "sbrun does not push; 'save' writes an archive that others can push" },
	{ "pull", true, "did you mean 'sbrun pull'?" },
	{ "load", true, "did you mean 'sbrun load'?" },
	{ "save", true, "did you mean 'sbrun save'?" },
	{ "push", true, "sbrun does not push; 'save' writes an archive that others can push" },
};

/* @parent: the command that @table is of; NULL for sbrun itself. */
static const struct sb_cmd *find_command(const struct sb_cmd *const *table,
					 const struct sb_cmd *parent, const char *name,
					 struct sb_err *err)
{
	const char *names[COMMANDS_MAX];
	const char *similar = NULL;
	size_t n = 0;

	for (; table[n] && n < COMMANDS_MAX; n++) {
		names[n] = last_word(table[n]);
		if (!strcmp(names[n], name))
			return table[n];
	}
	sb_err_refuse(err, EINVAL, "unknown command '%.80s'", name);
	for (size_t i = 0; i < SB_ARRAY_SIZE(habits); i++)
		if (habits[i].below == (parent != NULL) && !strcmp(habits[i].word, name))
			similar = habits[i].hint;
	if (similar) {
		(void)sb_err_hint(err, "%s", similar);
		return NULL;
	}
	similar = sb_opts_similar(name, names, n);
	if (similar)
		sb_err_hint(err, "did you mean '%s'?", similar);
	else
		sb_err_hint(err, "'sbrun %s%s--help' lists the commands",
			    parent ? parent->name : "", parent ? " " : "");
	return NULL;
}

static int check_count(const struct sb_cmd *cmd, int argc, struct sb_err *err)
{
	if (argc >= cmd->min_args && (cmd->max_args < 0 || argc <= cmd->max_args))
		return 0;
	sb_err_refuse(err, EINVAL,
		      argc < cmd->min_args ? "an argument is missing" : "too many arguments");
	return sb_err_hint(err, "usage: sbrun %s [OPTIONS]%s%s", cmd->name, cmd->args[0] ? " " : "",
			   cmd->args);
}

/* Everything between a parsed command line and the exit code. */
static int run_command(struct sb_cli *cli, const struct sb_cmd *cmd, void *opts, int argc,
		       const char **argv, struct sb_err *err)
{
	struct sb_gc_result ignored;

	if (check_count(cmd, argc, err) < 0)
		return -err->code;
	/* A monitor must not keep what our caller happened to have open. */
	if (!cmd->inherits)
		(void)close_range(3, ~0U, 0);
	if (cmd->no_home)
		return cmd->run(cli, opts, argc, argv, err);
	if (sb_home_open(cli->store_path, cli->run_path, &cli->home, err) < 0)
		return -err->code;
	if (cmd->collects && sb_gc(&cli->home, true, &ignored, err) < 0)
		return -err->code;
	return cmd->run(cli, opts, argc, argv, err);
}

/* After a command line that could not be parsed to its end: was its error to be JSON? */
static bool wants_json(const struct sb_cmd *cmd, int argc, const char *const argv[])
{
	/* The one command that has another --format. */
	bool other_format = cmd == &sb_cmd_save;

	for (int i = 0; i < argc && strcmp(argv[i], "--") != 0; i++)
		if (!strcmp(argv[i], "--json") ||
		    (!other_format && !strncmp(argv[i], "--format", 8)))
			return true;
	return false;
}

/* A full disk must not look like success. */
static int finish_output(void)
{
	return fflush(stdout) == EOF || ferror(stdout) ? SB_EXIT_FAILED : 0;
}

static int dispatch(struct sb_cli *cli, const struct sb_cmd *cmd, int argc, const char **argv)
{
	_cleanup_free_ void *opts = calloc(1, cmd->opts_size + 1);
	const struct sb_opt_set sets[2] = { { cmd->opts, opts }, { common, cli } };
	struct sb_err err = SB_ERR_INIT;
	int ret;

	if (!opts)
		return SB_EXIT_FAILED;
	if (cmd->defaults)
		memcpy(opts, cmd->defaults, cmd->opts_size);
	ret = sb_opts_parse(sets, cmd->options_first, argc, argv, &err);
	if (ret >= 0 && cli->help) {
		print_help(cmd);
		return finish_output();
	}
	cli->json |= ret < 0 && wants_json(cmd, argc, argv);
	sb_log_init(cli->debug ? SB_LOG_DEBUG : SB_LOG_INFO, cli->json);
	if (ret >= 0)
		ret = run_command(cli, cmd, opts, ret, argv, &err);
	if (ret < 0)
		sb_out_error(cli, cmd->name, &err);
	if (cmd->done)
		cmd->done(opts);
	sb_home_close(&cli->home);
	if (ret >= 0 && finish_output() != 0)
		return SB_EXIT_FAILED;
	return ret >= 0 ? ret : err.exit_code ? err.exit_code : SB_EXIT_FAILED;
}

static const char *from_env(const char *name, const char *otherwise)
{
	const char *value = getenv(name);

	return value && value[0] ? value : otherwise;
}

/* Whatever our caller has left us in. */
static void stand_on_firm_ground(void)
{
	int fd;

	/* With one of 0, 1, 2 closed, a file of ours would pass for a standard stream. */
	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd <= STDERR_FILENO);
	sb_close_fd(&fd);
	(void)signal(SIGCHLD, SIG_DFL); /* ignored, wait4(2) would not tell how a child ended */
	(void)umask(0);                 /* all our modes are explicit */
}

/* Take the options before the command, and the word "help"; returns how many words are left. */
static int parse_front(struct sb_cli *cli, int argc, const char **argv, struct sb_err *err)
{
	const struct sb_opt_set sets[2] = { { before, cli }, { common, cli } };
	int n = sb_opts_parse(sets, true, argc, argv, err);

	if (n <= 0 || strcmp(argv[0], "help") != 0)
		return n;
	cli->help = true;
	memmove(argv, argv + 1, (size_t)--n * sizeof(*argv));
	return parse_front(cli, n, argv, err);
}

/*
 * The command that the next word means, and the words after it. @cmd itself if there is no word:
 * then its help is wanted, or it says what is missing.
 */
static const struct sb_cmd *descend(struct sb_cli *cli, const struct sb_cmd *cmd, int *argc,
				    const char ***argv, struct sb_err *err)
{
	const struct sb_opt_set sets[2] = { { NULL, NULL }, { common, cli } };
	int n = sb_opts_parse(sets, true, *argc, *argv, err);
	const struct sb_cmd *sub;

	if (n < 0)
		return NULL;
	*argc = n;
	if (n == 0)
		return cmd;
	sub = find_command(cmd->subs, cmd, (*argv)[0], err);
	--*argc;
	++*argv;
	return sub;
}

int main(int argc, char **argv)
{
	struct sb_cli cli = {
		.store_path = from_env("SBRUN_ROOT", SB_STORE_DEFAULT),
		.run_path = from_env("SBRUN_RUN", SB_RUN_DEFAULT),
		.home = SB_HOME_INIT,
	};
	const char **words = (const char **)(argv + 1), **rest;
	struct sb_err err = SB_ERR_INIT;
	const struct sb_cmd *cmd = NULL;
	int n;

	stand_on_firm_ground();
	cli.title = argv[0];
	cli.title_len = (size_t)(argv[argc - 1] - argv[0]) + strlen(argv[argc - 1]);
	n = parse_front(&cli, argc - 1, words, &err);
	if (n >= 0 && cli.version)
		return dispatch(&cli, &sb_cmd_version, n, words);
	if (n == 0 && (cli.help || !cli.json)) {
		print_overview(cli.help ? stdout : stderr);
		return cli.help ? finish_output() : SB_EXIT_FAILED;
	}
	rest = words + 1;
	if (n > 0)
		cmd = find_command(commands, NULL, words[0], &err);
	else if (n == 0)
		sb_err_refuse(&err, EINVAL, "a command is missing");
	n--;
	if (cmd && cmd->subs)
		cmd = descend(&cli, cmd, &n, &rest, &err);
	if (cmd)
		return dispatch(&cli, cmd, n, rest);
	cli.json |= wants_json(NULL, argc - 1, words);
	sb_out_error(&cli, NULL, &err);
	return SB_EXIT_FAILED;
}
