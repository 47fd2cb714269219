/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_image_df.c - sbrun image df */
#include <stdio.h>

#include "images/usage.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/err.h"
#include "runtime/cli/cli.h"
#include "runtime/cli/image_out.h"

/* The totals, as both forms of output show them. */
enum total {
	IMAGES,
	LAYERS,
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
 * @reclaimable: bytes of it that 'image prune -a' would free
 */
struct total_row {
	const char *title;
	const char *key;
	struct sb_tally tally;
	uint64_t reclaimable;
};

static void fill_totals(const struct sb_usage *u, struct total_row rows[TOTALS])
{
	const struct sb_collected *g = &u->garbage;
	const struct sb_tally garbage = {
		.n = g->layers.n + g->blobs.n + g->stages.n,
		.bytes = g->layers.bytes + g->blobs.bytes + g->stages.bytes,
	};

	rows[IMAGES] = (struct total_row){ "images", "images", u->images, 0 };
	rows[LAYERS] = (struct total_row){ "their layers", "layers", u->layers, u->unused.bytes };
	rows[PARTIALS] = (struct total_row){ "partial downloads", "partialDownloads", u->partials,
					     g->partials.bytes };
	rows[GARBAGE] =
		(struct total_row){ "unreferenced", "unreferenced", garbage, garbage.bytes };
	rows[SANDBOXES] =
		(struct total_row){ "writable layers", "writableLayers", u->sandboxes, 0 };
}

static json_t *image_json(const struct sb_inventory_image *i)
{
	return json_pack("{s:o, s:s, s:I, s:I, s:I, s:i}", "references",
			 sb_image_json_familiar(&i->root->references), "digest", i->root->digest,
			 "sizeBytes", (json_int_t)i->size_bytes, "sharedBytes",
			 (json_int_t)i->shared_bytes, "uniqueBytes",
			 (json_int_t)(i->size_bytes - i->shared_bytes), "sandboxes",
			 (int)i->root->sandboxes.n);
}

static void print_json(const struct sb_usage *u, const struct total_row rows[TOTALS])
{
	json_t *images = json_array(), *totals = json_object();
	uint64_t reclaimable = 0;

	for (size_t i = 0; i < u->inventory.n_images; i++)
		(void)json_array_append_new(images, image_json(&u->inventory.images[i]));
	for (size_t i = 0; i < TOTALS; i++) {
		reclaimable += rows[i].reclaimable;
		(void)json_object_set_new(
			totals, rows[i].key,
			json_pack("{s:i, s:I, s:I}", "count", (int)rows[i].tally.n, "sizeBytes",
				  (json_int_t)rows[i].tally.bytes, "reclaimableBytes",
				  (json_int_t)rows[i].reclaimable));
	}
	sb_out_json(json_pack("{s:o, s:o, s:I}", "images", images, "totals", totals,
			      "reclaimableBytes", (json_int_t)reclaimable));
}

static void print_image(const struct sb_inventory_image *i, const int widths[])
{
	const struct sb_strv *names = &i->root->references;
	char name[SB_IMAGE_REFERENCE_SIZE] = "-", size[32], shared[32], unique[32], sandboxes[16];
	const char *cells[] = { name, size, shared, unique, sandboxes };

	/* Kept by a sandbox alone, it is known by its digest only. */
	if (names->n > 0)
		sb_image_out_familiar(names->v[0], name, sizeof(name));
	else
		snprintf(name, sizeof(name), "%.19s", i->root->digest);
	sb_out_bytes(i->size_bytes, size, sizeof(size));
	sb_out_bytes(i->shared_bytes, shared, sizeof(shared));
	sb_out_bytes(i->size_bytes - i->shared_bytes, unique, sizeof(unique));
	snprintf(sandboxes, sizeof(sandboxes), "%zu", i->root->sandboxes.n);
	sb_out_row(cells, widths, SB_ARRAY_SIZE(cells));
}

static void print_text(const struct sb_usage *u, const struct total_row rows[TOTALS])
{
	static const int widths[] = { 40, 10, 10, 10, 0 }, total_widths[] = { 18, 6, 10, 0 };
	static const char *const head[] = { "IMAGE", "SIZE", "SHARED", "UNIQUE", "SANDBOXES" };
	static const char *const total_head[] = { "TOTAL", "COUNT", "SIZE", "RECLAIMABLE" };

	sb_out_row(head, widths, SB_ARRAY_SIZE(head));
	for (size_t i = 0; i < u->inventory.n_images; i++)
		print_image(&u->inventory.images[i], widths);
	puts("");
	sb_out_row(total_head, total_widths, SB_ARRAY_SIZE(total_head));
	for (size_t i = 0; i < TOTALS; i++) {
		char count[16], size[32], reclaimable[32] = "-";
		const char *cells[] = { rows[i].title, count, size, reclaimable };

		snprintf(count, sizeof(count), "%u", rows[i].tally.n);
		sb_out_bytes(rows[i].tally.bytes, size, sizeof(size));
		if (i != IMAGES) /* what they have is counted with their layers */
			sb_out_bytes(rows[i].reclaimable, reclaimable, sizeof(reclaimable));
		sb_out_row(cells, total_widths, SB_ARRAY_SIZE(cells));
	}
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
		"frees. Every file\n"
		"that sandboxes have written is looked at, which may take a while.\n\n"
		"--json: images (references, digest, sizeBytes, sharedBytes, uniqueBytes, "
		"sandboxes), totals\n"
		"(images, layers, partialDownloads, unreferenced, writableLayers: count, "
		"sizeBytes,\n"
		"reclaimableBytes each), reclaimableBytes.\n",
	.collects = true,
	.run = run,
};
