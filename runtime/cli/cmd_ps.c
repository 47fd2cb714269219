/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_ps.c - sbrun ps */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/err.h"
#include "runtime/cli/cli.h"
#include "runtime/sandbox/record.h"

/**
 * struct ps_opts - options of ps
 * @all:	also those that have ended
 * @quiet:	only ids
 */
struct ps_opts {
	bool all;
	bool quiet;
};

#define OPT(field) offsetof(struct ps_opts, field)
static const struct sb_opt table[] = {
	{ "all", 'a', SB_OPT_FLAG, OPT(all), NULL, "also sandboxes that have ended" },
	{ "quiet", 'q', SB_OPT_FLAG, OPT(quiet), NULL, "only the ids" },
	{ .name = NULL },
};

/**
 * struct list - records under way to the output
 * @v:		records
 * @n:		how many
 * @all:	as in struct ps_opts
 */
struct list {
	struct sb_record *v;
	size_t n;
	bool all;
};

static int collect(const struct sb_home *home, const char *id, void *arg)
{
	struct sb_record rec = SB_RECORD_INIT;
	struct sb_err err = SB_ERR_INIT;
	struct list *list = arg;
	struct sb_record *v;
	bool is_wanted;

	if (sb_record_load(home, id, &rec, &err) < 0)
		return 0; /* being made, or removed this moment */
	/* A monitor lives on for a moment after it has recorded the end. */
	is_wanted = list->all || (rec.status != SB_STATUS_STOPPED && sb_home_is_alive(home, id));
	v = is_wanted ? realloc(list->v, (list->n + 1) * sizeof(*v)) : NULL;
	if (!v) {
		sb_record_done(&rec);
		return 0;
	}
	list->v = v;
	list->v[list->n++] = rec;
	return 0;
}

static int newest_first(const void *a, const void *b)
{
	const struct sb_record *x = a, *y = b;

	return (y->created_ms > x->created_ms) - (y->created_ms < x->created_ms);
}

static void print_table(const struct sb_cli *cli, const struct list *list)
{
	static const int widths[] = { 16, 14, 24, 8, 12, 0 };
	static const char *const head[] = { "ID", "NAME", "IMAGE", "STATUS", "CREATED", "ADDRESS" };

	sb_out_row(head, widths, SB_ARRAY_SIZE(head));
	for (size_t i = 0; i < list->n; i++) {
		const struct sb_record *r = &list->v[i];
		char age[32];
		const char *cells[] = { r->id,
					r->name[0] ? r->name : "-",
					r->image,
					sb_record_status(&cli->home, r),
					sb_out_age(r->created_ms, age, sizeof(age)),
					r->address };

		sb_out_row(cells, widths, SB_ARRAY_SIZE(cells));
	}
}

static void print_json(const struct sb_cli *cli, const struct list *list)
{
	json_t *a = json_array();

	for (size_t i = 0; i < list->n; i++)
		(void)json_array_append_new(a, sb_record_json(&cli->home, &list->v[i]));
	sb_out_json(a);
}

static int run(struct sb_cli *cli, void *opts, int argc, const char *argv[], struct sb_err *err)
{
	const struct ps_opts *o = opts;
	struct list list = { .all = o->all };

	(void)argc;
	(void)argv;
	(void)err;
	(void)sb_home_for_each(&cli->home, collect, &list);
	if (list.n)
		qsort(list.v, list.n, sizeof(*list.v), newest_first);
	if (cli->json)
		print_json(cli, &list);
	else if (!o->quiet)
		print_table(cli, &list);
	for (size_t i = 0; i < list.n; i++) {
		if (o->quiet && !cli->json)
			puts(list.v[i].id);
		sb_record_done(&list.v[i]);
	}
	free(list.v);
	return 0;
}

const struct sb_cmd sb_cmd_ps = {
	.name = "ps",
	.args = "",
	.summary = "list sandboxes, the newest first",
	.opts = table,
	.opts_size = sizeof(struct ps_opts),
	.collects = true,
	.run = run,
};
