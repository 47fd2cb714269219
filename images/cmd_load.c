/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_load.c - sbrun-image load: images of an archive into the store */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

#include "images/command.h"
#include "images/image.h"
#include "images/publish.h"
#include "images/settings.h"
#include "images/unpacker.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/err.h"
#include "runtime/base/path.h"

static int open_source(const char *source, struct sb_err *err)
{
	int fd;

	if (!strcmp(source, "-"))
		fd = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	else
		fd = open(source, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	return fd >= 0 ? fd : sb_err_set(err, errno, "open '%.150s'", source);
}

static int print_loaded(const struct sb_loaded_list *list, bool as_json, struct sb_err *err)
{
	json_t *images = json_array();
	_cleanup_free_ char *text = NULL;
	json_t *o;

	for (size_t i = 0; i < list->n; i++) {
		const struct sb_loaded *l = &list->v[i];
		char familiar[SB_IMAGE_REFERENCE_SIZE] = "";

		(void)sb_image_familiar(l->reference, familiar, sizeof(familiar));
		if (!as_json)
			printf("Loaded: %s\n", familiar);
		(void)json_array_append_new(
			images,
			json_pack("{s:s, s:s, s:s, s:I, s:I}", "reference", familiar,
				  "fullReference", l->reference, "digest", l->digest, "layers",
				  (json_int_t)l->layers, "sizeBytes", (json_int_t)l->size_bytes));
	}
	o = json_pack("{s:o}", "images", images);
	text = o ? json_dumps(o, JSON_INDENT(2)) : NULL;
	json_decref(o);
	if (as_json)
		printf("%s\n", text ? text : "");
	return fflush(stdout) != 0 ? sb_err_set(err, errno, "write to standard output") : 0;
}

/* With --name there is one image, and its name is what the user said. */
static int check_names(const struct sb_image_options *o, struct sb_loaded_list *list,
		       struct sb_err *err)
{
	char full[SB_REFERENCE_SIZE];

	if (!o->name)
		return 0;
	if (sb_reference_complete(o->name, full, sizeof(full), err) < 0)
		return -err->code;
	if (list->n != 1 || strcmp(list->v[0].reference, full) != 0)
		return sb_err_refuse(err, EPROTO, "the unpacker sends nonsense");
	return 0;
}

/* Unpack @source_fd into the stage of @p, publish, and tell what there is. */
static int load(const struct sb_image_options *o, const struct sb_publish *p, int source_fd,
		const struct sb_layer_limits *limits, struct sb_err *err)
{
	struct sb_load job = { .stage_dirfd = p->stage.dirfd,
			       .layers_dirfd = p->layers_dirfd,
			       .source_fd = source_fd,
			       .name = o->name,
			       .limits = limits };
	struct sb_loaded_list list = SB_LOADED_LIST_INIT;
	struct sb_unpacker u = SB_UNPACKER_INIT;
	int r;

	sb_platform_host(&job.platform);
	if (sb_unpacker_start(&job, &u, err) < 0)
		return -err->code;
	do
		r = sb_unpacker_serve(&u, err);
	while (r > 0);
	if (r < 0) {
		sb_unpacker_kill(&u);
		return r;
	}
	if (sb_unpacker_end(&u, &list, err) < 0)
		return -err->code;
	r = check_names(o, &list, err);
	if (r == 0)
		r = sb_publish_layers(p, err);
	if (r == 0)
		r = sb_publish_images(p, list.v, list.n, err);
	if (r == 0)
		r = print_loaded(&list, o->json, err);
	sb_loaded_list_done(&list);
	return r;
}

/**
 * sb_command_load() - Load the images of an archive
 * @o:		@store, @name, @json, and the archive as the only argument
 *
 * Needs root. On failure no image is visible that was not there before; when killed, what is left
 * is removed by the next load.
 *
 * Return: 0, or a negative errno value
 */
int sb_command_load(const struct sb_image_options *o, struct sb_err *err)
{
	struct sb_settings settings = SB_SETTINGS_INIT;
	struct sb_publish p = SB_PUBLISH_INIT;
	_cleanup_fd_ int store = -1, source = -1;
	char full[SB_REFERENCE_SIZE];
	int r;

	/* A name that can't be used is refused before anything is made. */
	if (o->name && sb_reference_complete(o->name, full, sizeof(full), err) < 0)
		return -err->code;
	if (geteuid() != 0)
		return sb_err_refuse(err, EPERM, "only root can unpack an image");
	source = open_source(o->args[0], err);
	if (source < 0)
		return -err->code;
	store = sb_ensure_dir_at(AT_FDCWD, o->store, 0700, err);
	if (store < 0 || sb_publish_begin(store, &p, err) < 0)
		return -err->code;
	r = sb_settings_load(&settings, err);
	if (r == 0)
		r = load(o, &p, source, &settings.limits, err);
	sb_settings_done(&settings);
	sb_publish_end(&p);
	return r;
}
