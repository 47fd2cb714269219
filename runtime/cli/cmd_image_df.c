/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_image_df.c - sbrun image df */
#include <stdio.h>

#include "images/usage.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/err.h"
#include "runtime/base/str.h"
#include "runtime/cli/cli.h"
#include "runtime/cli/image_out.h"
#include "runtime/cli/table.h"

/* The totals, as both forms of output show them. */
enum total {
	IMAGES,
	LAYERS,
	BLOBS,
	PARTIALS,
	GARBAGE,
	SANDBOXES,
	TOTALS,
};

/**
 * struct total_row - one of them
 * @title:	for people
 * @key:	for programs
 * @tally:	count and size
 * @frees:	'image prune -a' removes such things
 * @reclaimable: bytes of it that this would free
 */
struct total_row {
	const char *title;
	const char *key;
	struct sb_tally tally;
	bool frees;
	uint64_t reclaimable;
};

/* Of all that would be freed, what is not garbage already. */
static uint64_t bytes_more(struct sb_tally all, const struct sb_tally *garbage)
{
	sb_tally_subtract(&all, garbage);
	return all.bytes;
}

static void fill_totals(const struct sb_usage *u, struct total_row rows[TOTALS])
{
	const struct sb_collected *g = &u->garbage, *p = &u->prunable;
	const struct sb_tally garbage = {
		.n = g->layers.n + g->blobs.n + g->stages.n,
		.bytes = g->layers.bytes + g->blobs.bytes + g->stages.bytes,
	};

	rows[IMAGES] = (struct total_row){ "images", "images", u->images, false, 0 };
	rows[LAYERS] = (struct total_row){ "their layers", "layers", u->layers, true,
					   bytes_more(p->layers, &g->layers) };
	rows[BLOBS] = (struct total_row){ "their manifests", "manifests", u->blobs, true,
					  bytes_more(p->blobs, &g->blobs) };
	rows[PARTIALS] = (struct total_row){ "partial downloads", "partialDownloads", u->partials,
					     true, p->partials.bytes };
	/* All of it, or nothing if nothing can be removed. */
	rows[GARBAGE] = (struct total_row){ "unreferenced", "unreferenced", garbage, true,
					    sb_collected_bytes(p) ? garbage.bytes : 0 };
	rows[SANDBOXES] =
		(struct total_row){ "writable layers", "writableLayers", u->sandboxes, false, 0 };
}

static json_t *number(const struct sb_inventory_image *i, uint64_t value)
{
	return i->error.code ? json_null() : json_integer((json_int_t)value);
}

static json_t *image_json(const struct sb_inventory_image *i)
{
	const struct sb_strv *names = &i->root->references;
	char text[SB_ERR_MSG_MAX + 64];
	struct sb_err why = i->error;
	const char *error = NULL;

	why.hint[0] = '\0';
	if (why.code)
		error = sb_err_text(&why, text, sizeof(text));
	return json_pack("{s:o, s:s?, s:s, s:s?, s:o, s:o, s:o, s:i, s:s?}", "references",
			 sb_image_json_familiar(names), "fullReference",
			 names->n > 0 ? names->v[0] : NULL, "digest", i->root->digest, "id",
			 i->image.config_digest, "sizeBytes", number(i, i->size_bytes),
			 "sharedBytes", number(i, i->shared_bytes), "uniqueBytes",
			 number(i, i->size_bytes - i->shared_bytes), "sandboxes",
			 (int)i->root->sandboxes.n, "error", error);
}

static void print_json(const struct sb_usage *u, const struct total_row rows[TOTALS])
{
	json_t *images = json_array(), *totals = json_object();

	for (size_t i = 0; i < u->inventory.n_images; i++)
		(void)json_array_append_new(images, image_json(&u->inventory.images[i]));
	for (size_t i = 0; i < TOTALS; i++) {
		(void)json_object_set_new(
			totals, rows[i].key,
			json_pack("{s:i, s:I, s:o}", "count", (int)rows[i].tally.n, "sizeBytes",
				  (json_int_t)rows[i].tally.bytes, "reclaimableBytes",
				  rows[i].frees ? json_integer((json_int_t)rows[i].reclaimable)
						: json_null()));
	}
	sb_out_json(json_pack("{s:o, s:o, s:I}", "images", images, "totals", totals,
			      "reclaimableBytes", (json_int_t)sb_collected_bytes(&u->prunable)));
}

static void add_image(struct sb_strv *table, const struct sb_inventory_image *i)
{
	const struct sb_strv *names = &i->root->references;
	char name[SB_IMAGE_REFERENCE_SIZE], size[32] = "unreadable", shared[32] = "-";
	char unique[32] = "-", sandboxes[16];
	const char *cells[] = { name, size, shared, unique, sandboxes };

	/* Kept by a sandbox alone, it is known by its digest only. */
	if (names->n > 0)
		sb_image_out_familiar(names->v[0], name, sizeof(name));
	else
		snprintf(name, sizeof(name), "%.19s", i->root->digest);
	if (!i->error.code) {
		sb_out_bytes(i->size_bytes, size, sizeof(size));
		sb_out_bytes(i->shared_bytes, shared, sizeof(shared));
		sb_out_bytes(i->size_bytes - i->shared_bytes, unique, sizeof(unique));
	}
	snprintf(sandboxes, sizeof(sandboxes), "%zu", i->root->sandboxes.n);
	sb_table_add(table, cells, SB_ARRAY_SIZE(cells));
}

static void add_total(struct sb_strv *table, const struct total_row *row)
{
	char count[16], size[32], reclaimable[32] = "-";
	const char *cells[] = { row->title, count, size, reclaimable };

	snprintf(count, sizeof(count), "%u", row->tally.n);
	sb_out_bytes(row->tally.bytes, size, sizeof(size));
	if (row->frees)
		sb_out_bytes(row->reclaimable, reclaimable, sizeof(reclaimable));
	sb_table_add(table, cells, SB_ARRAY_SIZE(cells));
}

static void print_text(const struct sb_usage *u, const struct total_row rows[TOTALS])
{
	static const char *const head[] = { "IMAGE", "SIZE", "SHARED", "UNIQUE", "SANDBOXES" };
	static const char *const total_head[] = { "TOTAL", "COUNT", "SIZE", "RECLAIMABLE" };
	struct sb_strv table = SB_STRV_INIT;

	sb_table_add(&table, head, SB_ARRAY_SIZE(head));
	for (size_t i = 0; i < u->inventory.n_images; i++)
		add_image(&table, &u->inventory.images[i]);
	sb_table_print(&table, SB_ARRAY_SIZE(head));
	puts("");
	sb_table_add(&table, total_head, SB_ARRAY_SIZE(total_head));
	for (size_t i = 0; i < TOTALS; i++)
		add_total(&table, &rows[i]);
	sb_table_print(&table, SB_ARRAY_SIZE(total_head));
}

static int run(struct sb_cli *cli, void *opts, int argc, const char *argv[], struct sb_err *err)
{
	struct total_row rows[TOTALS];
	struct sb_usage u;

	(void)opts;
	(void)argc;
	(void)argv;
	if (sb_usage_read(cli->home.store_fd, &u, err) < 0)
		return -err->code;
	fill_totals(&u, rows);
	if (cli->json)
		print_json(&u, rows);
	else
		print_text(&u, rows);
	sb_usage_done(&u);
	return 0;
}

const struct sb_cmd sb_cmd_image_df = {
	.name = "image df",
	.args = "",
	.summary = "show what takes how much space in the store",
	.text = "SHARED is in layers that another image has, too; images are summed up as if they "
		"shared\n"
		"nothing, their layers count once. RECLAIMABLE is what 'sbrun image prune -a' "
		"frees. Sizes are\n"
		"those of the content of files, for downloads, unfinished loads and writable "
		"layers those on the\n"
		"disk. Every file that sandboxes have written is looked at, which may take a "
		"while.\n\n"
		"--json: images (references, fullReference of the first, digest, id, sizeBytes, "
		"sharedBytes,\n"
		"uniqueBytes, sandboxes, error), totals (images, layers, manifests, "
		"partialDownloads,\n"
		"unreferenced, writableLayers: count, sizeBytes, reclaimableBytes each), "
		"reclaimableBytes.\n",
	.collects = true,
	.run = run,
};
