/* SPDX-License-Identifier: Apache-2.0 */
/* opts.c - command line options as tables: one row parses, checks and documents an option */
#include "runtime/cli/opts.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/err.h"
#include "runtime/base/json.h"
#include "runtime/base/num.h"
#include "runtime/base/path.h"
#include "runtime/base/str.h"

static bool takes_argument(const struct sb_opt *o)
{
	return o->type != SB_OPT_FLAG;
}

/* Find a row by its letter (@len 0) or its name, and the struct that it fills. */
static const struct sb_opt *find(const struct sb_opt_set sets[2], const char *word, size_t len,
				 void **ret_dst)
{
	for (int i = 0; i < 2; i++) {
		for (const struct sb_opt *o = sets[i].table; o && o->name; o++) {
			if (len ? strlen(o->name) != len || memcmp(o->name, word, len) != 0
				: o->letter != word[0])
				continue;
			*ret_dst = sets[i].dst;
			return o;
		}
	}
	return NULL;
}

/* Requests and records are JSON: what is not UTF-8 would be dropped there, a user become root. */
static bool is_utf8(const char *s)
{
	_cleanup_json_ json_t *text = json_string(s);

	return text;
}

static int add_env(struct sb_strv *env, const char *value, struct sb_err *err)
{
	_cleanup_free_ char *assignment = NULL;
	const char *ours = getenv(value);

	if (!is_utf8(value) || (ours && !is_utf8(ours)))
		return sb_err_refuse(err, EILSEQ, "'%.40s' is not UTF-8", value);
	if (strchr(value, '='))
		return sb_strv_set_env(env, value, err);
	if (!ours)
		return 0; /* docker run -e NAME: nothing to take */
	if (asprintf(&assignment, "%s=%s", value, ours) < 0)
		return sb_err_set(err, ENOMEM, "set '%s'", value);
	return sb_strv_set_env(env, assignment, err);
}

/* What each type accepts, for its refusal. */
static const char *expectation(enum sb_opt_type type)
{
	switch (type) {
	case SB_OPT_PORT:
		return "a port is a number from 1 to 65535";
	case SB_OPT_COUNT:
		return "a number from 1 is needed";
	case SB_OPT_SIZE:
		return "a size is a number with an optional unit b, k, m, g or t";
	case SB_OPT_DURATION:
		return "a duration is a number with a unit: 500ms, 30s, 10m, 2h, 1d";
	case SB_OPT_CPUS:
		return "a number of processors is 0.01 or more, with at most three decimals";
	case SB_OPT_SIGNAL:
		return "a signal is a number or a name such as TERM";
	case SB_OPT_NAME:
		return "a name is letters, digits, '_', '.' and '-', at most 63, the first no sign";
	case SB_OPT_JSON:
		return "the only format is json";
	case SB_OPT_STR:
		return "text in UTF-8 is needed";
	case SB_OPT_ENV:
	case SB_OPT_FLAG:
		break;
	}
	return "";
}

static int parse_value(enum sb_opt_type type, const char *value, void *field, struct sb_err *err)
{
	switch (type) {
	case SB_OPT_FLAG:
		*(bool *)field = true;
		return 0;
	case SB_OPT_STR:
		*(const char **)field = value;
		return is_utf8(value) ? 0 : -EILSEQ;
	case SB_OPT_NAME:
		*(const char **)field = value;
		return sb_name_is_valid(value) ? 0 : -EINVAL;
	case SB_OPT_ENV:
		return add_env(field, value, err);
	case SB_OPT_PORT:
		return sb_parse_port(value, field);
	case SB_OPT_COUNT:
		if (sb_parse_u64(value, INT64_MAX, field) < 0)
			return -EINVAL;
		return *(uint64_t *)field ? 0 : -ERANGE;
	case SB_OPT_SIZE:
		return sb_parse_size(value, field);
	case SB_OPT_DURATION:
		return sb_parse_duration(value, field);
	case SB_OPT_CPUS:
		return sb_parse_cpus(value, field);
	case SB_OPT_SIGNAL:
		return sb_parse_signal(value, field);
	case SB_OPT_JSON:
		*(bool *)field = true;
		return strcmp(value, "json") == 0 ? 0 : -EINVAL;
	}
	return -EINVAL;
}

static int store(const struct sb_opt *o, const char *value, void *dst, struct sb_err *err)
{
	if (parse_value(o->type, value, (char *)dst + o->offset, err) == 0)
		return 0;
	if (err->code)
		return sb_err_prefix(err, "--%s", o->name);
	sb_err_refuse(err, EINVAL, "--%s: '%.80s' is not accepted", o->name, value);
	return sb_err_hint(err, "%s", expectation(o->type));
}

static int unknown(const struct sb_opt_set sets[2], const char *word, struct sb_err *err)
{
	const char *names[64];
	const char *similar;
	char name[64];
	size_t n = 0;

	for (int i = 0; i < 2; i++)
		for (const struct sb_opt *o = sets[i].table; o && o->name && n < 64; o++)
			names[n++] = o->name;
	sb_err_refuse(err, EINVAL, "unknown option '%.80s'", word);
	snprintf(name, sizeof(name), "%s", word + strspn(word, "-"));
	name[strcspn(name, "=")] = '\0';
	similar = sb_opts_similar(name, names, n);
	if (similar)
		return sb_err_hint(err, "did you mean '--%s'?", similar);
	return sb_err_hint(err, "--help lists the options");
}

/* Parse "--name", "--name=VALUE" or "--name VALUE"; returns how many more words were used. */
static int parse_long(const struct sb_opt_set sets[2], const char *word, const char *next,
		      struct sb_err *err)
{
	const char *eq = strchr(word, '=');
	size_t len = eq ? (size_t)(eq - word) - 2 : strlen(word) - 2;
	void *dst;
	const struct sb_opt *o = len ? find(sets, word + 2, len, &dst) : NULL;
	const char *value = eq ? eq + 1 : next;

	if (!o)
		return unknown(sets, word, err);
	if (!takes_argument(o) && eq)
		return sb_err_refuse(err, EINVAL, "--%s takes no argument", o->name);
	if (takes_argument(o) && !value)
		return sb_err_refuse(err, EINVAL, "--%s needs %s", o->name, o->arg);
	if (store(o, value, dst, err) < 0)
		return -err->code;
	return takes_argument(o) && !eq;
}

/* Parse "-x", "-xVALUE", "-x VALUE" or a cluster "-xyz"; returns how many more words were used. */
static int parse_short(const struct sb_opt_set sets[2], const char *word, const char *next,
		       struct sb_err *err)
{
	for (const char *p = word + 1; *p; p++) {
		void *dst;
		const struct sb_opt *o = find(sets, p, 0, &dst);
		const char *value = p[1] ? p + 1 : next;

		if (!o)
			return unknown(sets, word, err);
		if (takes_argument(o) && !value)
			return sb_err_refuse(err, EINVAL, "-%c needs %s", o->letter, o->arg);
		if (store(o, value, dst, err) < 0)
			return -err->code;
		if (takes_argument(o))
			return p[1] == '\0';
	}
	return 0;
}

/**
 * sb_opts_parse() - Take the options out of a command line
 * @sets:	the command's own table, and the one that all commands share
 * @options_first: options end at the first other word, which begins a command for the sandbox
 * @argc:	number of words
 * @argv:	words, without the command's name; the other words are moved to its front
 * @err:	set on failure, names the option and what it accepts
 *
 * "--" ends the options.
 *
 * Return: number of words left in @argv, or -EINVAL
 */
int sb_opts_parse(const struct sb_opt_set sets[2], bool options_first, int argc, const char **argv,
		  struct sb_err *err)
{
	bool is_over = false;
	int kept = 0;

	for (int i = 0; i < argc; i++) {
		const char *next = i + 1 < argc ? argv[i + 1] : NULL;
		int used;

		if (is_over || argv[i][0] != '-' || !argv[i][1]) {
			argv[kept++] = argv[i];
			is_over |= options_first;
			continue;
		}
		if (!strcmp(argv[i], "--")) {
			is_over = true;
			continue;
		}
		used = argv[i][1] == '-' ? parse_long(sets, argv[i], next, err)
					 : parse_short(sets, argv[i], next, err);
		if (used < 0)
			return used;
		i += used;
	}
	return kept;
}

static bool has_name(const struct sb_opt *table, const char *name)
{
	for (; table && table->name; table++)
		if (!strcmp(table->name, name))
			return true;
	return false;
}

/**
 * sb_opts_help() - Print one line per option
 * @table:	options
 * @instead:	options that have taken the place of those with the same name; NULL for none
 * @out:	stream
 */
void sb_opts_help(const struct sb_opt *table, const struct sb_opt *instead, FILE *out)
{
	for (; table && table->name; table++) {
		char left[40];

		if (has_name(instead, table->name))
			continue;
		snprintf(left, sizeof(left), "--%s%s%s", table->name, table->arg ? " " : "",
			 table->arg ? table->arg : "");
		fprintf(out, "  %c%c%s %-20s %s\n", table->letter ? '-' : ' ',
			table->letter ? table->letter : ' ', table->letter ? "," : " ", left,
			table->help);
	}
}

/* Number of edits that turn @a into @b (Levenshtein), of words up to 31 bytes. */
static size_t distance(const char *a, const char *b)
{
	size_t row[32], n = strlen(b);

	if (strlen(a) > 31 || n > 31)
		return SIZE_MAX;
	for (size_t j = 0; j <= n; j++)
		row[j] = j;
	for (size_t i = 1; a[i - 1]; i++) {
		size_t diagonal = row[0];

		row[0] = i;
		for (size_t j = 1; j <= n; j++) {
			size_t best = diagonal + (a[i - 1] != b[j - 1]);

			diagonal = row[j];
			if (row[j] + 1 < best)
				best = row[j] + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			row[j] = best;
		}
	}
	return row[n];
}

/**
 * sb_opts_similar() - The word that was probably meant
 * @word:	what was typed
 * @candidates:	what exists
 * @n:		how many
 *
 * Return: the nearest candidate with at most two edits, or NULL
 */
const char *sb_opts_similar(const char *word, const char *const candidates[], size_t n)
{
	const char *best = NULL;
	size_t best_distance = strlen(word) > 3 ? 3 : 2;

	for (size_t i = 0; i < n; i++) {
		size_t d = distance(word, candidates[i]);

		if (d < best_distance) {
			best_distance = d;
			best = candidates[i];
		}
	}
	return best;
}
