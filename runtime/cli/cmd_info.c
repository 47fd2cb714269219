/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_info.c - sbrun info */
#include <arpa/inet.h>
#include <stdio.h>
#include <sys/utsname.h>

#include "images/image.h"
#include "net/net.h"
#include "runtime/base/err.h"
#include "runtime/cli/cli.h"
#include "runtime/container/cgroup.h"

static int count(const struct sb_home *home, const char *id, void *arg)
{
	int *n = arg;

	n[sb_home_is_alive(home, id) ? 0 : 1]++;
	return 0;
}

static int run(struct sb_cli *cli, void *opts, int argc, const char *argv[], struct sb_err *err)
{
	static const char *const layouts[] = { "v2", "hybrid" };
	struct sb_image_list images = SB_IMAGE_LIST_INIT;
	enum sb_cgroup_layout layout;
	char text[INET6_ADDRSTRLEN];
	struct in6_addr prefix;
	struct utsname kernel;
	int sandboxes[2] = { 0, 0 };
	json_t *o;
	const char *key;
	json_t *value;

	(void)opts;
	(void)argc;
	(void)argv;
	if (sb_cgroup_layout(&layout, err) < 0 ||
	    sb_net_prefix(cli->home.store_fd, &prefix, err) < 0 ||
	    sb_images_list(cli->home.store_fd, &images, err) < 0)
		return -err->code;
	(void)sb_home_for_each(&cli->home, count, sandboxes);
	(void)uname(&kernel);
	o = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:i, s:i, s:i}", "version",
		      SBRUN_VERSION, "kernel", kernel.release, "architecture", kernel.machine,
		      "cgroup", layouts[layout], "prefix",
		      inet_ntop(AF_INET6, &prefix, text, sizeof(text)), "store", cli->store_path,
		      "runDir", cli->run_path, "running", sandboxes[0], "stopped", sandboxes[1],
		      "images", (int)images.n);
	sb_images_list_done(&images);
	if (cli->json) {
		sb_out_json(o);
		return 0;
	}
	json_object_foreach(o, key, value)
	{
		if (json_is_string(value))
			printf("%-13s %s%s\n", key, json_string_value(value),
			       value == json_object_get(o, "prefix") ? "/48" : "");
		else
			printf("%-13s %d\n", key, (int)json_integer_value(value));
	}
	json_decref(o);
	return 0;
}

const struct sb_cmd sb_cmd_info = {
	.name = "info",
	.args = "",
	.summary = "show what this host offers and holds",
	.collects = true,
	.run = run,
};
