/* SPDX-License-Identifier: Apache-2.0 */
/*
 * opts.h - command line options as tables: one row parses, checks and documents an option
 */
#ifndef SB_CLI_OPTS_H
#define SB_CLI_OPTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

struct sb_err;

/* What an argument is, and the type of the field it goes to. */
enum sb_opt_type {
	SB_OPT_FLAG,     /* bool, no argument */
	SB_OPT_STR,      /* const char *, borrowed from argv */
	SB_OPT_NAME,     /* likewise, fit to name a sandbox */
	SB_OPT_ENV,      /* struct sb_strv, NAME=VALUE, or NAME to take it from our environment */
	SB_OPT_PORT,     /* uint16_t, 1..65535 */
	SB_OPT_COUNT,    /* uint64_t, at least 1 */
	SB_OPT_SIZE,     /* uint64_t, bytes */
	SB_OPT_DURATION, /* uint64_t, milliseconds */
	SB_OPT_CPUS,     /* uint32_t, thousandths */
	SB_OPT_SIGNAL,   /* int */
	SB_OPT_JSON,     /* bool, the word "json" */
};

/**
 * struct sb_opt - one option of a command
 * @name:	long name without dashes; NULL ends the table
 * @letter:	short form, 0 if it has none
 * @type:	what the argument is and where it goes
 * @offset:	offsetof() the field in the command's options struct
 * @arg:	placeholder in the help; NULL for flags
 * @help:	one line, without a full stop
 */
struct sb_opt {
	const char *name;
	char letter;
	enum sb_opt_type type;
	size_t offset;
	const char *arg;
	const char *help;
};

/**
 * struct sb_opt_set - a table and where its values go
 * @table:	rows
 * @dst:	options struct, with defaults filled in
 */
struct sb_opt_set {
	const struct sb_opt *table;
	void *dst;
};

int sb_opts_parse(const struct sb_opt_set sets[2], bool options_first, int argc, const char **argv,
		  struct sb_err *err);
void sb_opts_help(const struct sb_opt *table, const struct sb_opt *instead, FILE *out);
const char *sb_opts_similar(const char *word, const char *const candidates[], size_t n);

#endif /* SB_CLI_OPTS_H */
