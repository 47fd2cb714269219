/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_gc.c - sbrun gc */
#include <stdio.h>

#include "runtime/base/err.h"
#include "runtime/cli/cli.h"
#include "runtime/cli/image_out.h"
#include "runtime/sandbox/gc.h"

static void print_text(const struct sb_gc_result *r)
{
	printf("removed %u dead sandboxes and %u other objects%s\n", r->sandboxes, r->objects,
	       r->network ? "; no sandbox is left: the host's network part is down" : "");
	if (r->error.code)
		return;
	if (r->store_busy)
		puts("images are being loaded: what nothing needs stays in the store for now");
	else
		sb_image_out_collected(&r->images);
}

static int run(struct sb_cli *cli, void *opts, int argc, const char *argv[], struct sb_err *err)
{
	struct sb_gc_result r;
	json_t *o = NULL;

	(void)opts;
	(void)argc;
	(void)argv;
	if (sb_gc(&cli->home, false, &r, err) < 0)
		return -err->code;
	if (!cli->json)
		print_text(&r);
	else
		o = json_pack("{s:i, s:i, s:b, s:b, s:o}", "sandboxesRemoved", (int)r.sandboxes,
			      "objectsRemoved", (int)r.objects, "networkRemoved", r.network,
			      "storeBusy", r.store_busy, "images",
			      sb_image_json_collected(&r.images));
	if (r.error.code) {
		*err = r.error;
		return sb_out_partial(cli, o, err);
	}
	if (o)
		sb_out_json(o);
	return 0;
}

const struct sb_cmd sb_cmd_gc = {
	.name = "gc",
	.args = "",
	.summary = "remove what killed sandboxes have left, and what nothing needs in the store",
	.text = "Safe at any time. Stopped sandboxes stay, and so do images with a name or a "
		"sandbox;\n"
		"unfinished downloads go when they are a day old. If no sandbox is left, the "
		"firewall table\n"
		"and the host's own address go as well; the next sandbox brings them back.\n",
	.run = run,
};
