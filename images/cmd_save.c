/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_save.c - sbrun-image save: images of the store as an archive */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <jansson.h>

#include "images/command.h"
#include "images/image.h"
#include "images/save.h"
#include "images/store.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/err.h"

static int parse_format(const char *text, enum sb_save_format *ret, struct sb_err *err)
{
	if (text && !strcmp(text, "docker-archive"))
		*ret = SB_SAVE_DOCKER;
	else if (!text || !strcmp(text, "oci-archive"))
		*ret = SB_SAVE_OCI;
	else {
		sb_err_refuse(err, EINVAL, "--format: '%.40s' is not accepted", text);
		return sb_err_hint(err, "the formats are oci-archive and docker-archive; --json is "
					"for the output of the command");
	}
	return 0;
}

static int print_saved(const struct sb_saved *v, size_t n, uint64_t bytes, bool as_json,
		       struct sb_err *err)
{
	_cleanup_free_ char *text = NULL;
	json_t *images = json_array();
	json_t *o;

	for (size_t i = 0; i < n; i++) {
		char familiar[SB_IMAGE_REFERENCE_SIZE] = "";
		bool named = sb_image_familiar(v[i].reference, familiar, sizeof(familiar)) == 0;

		if (!as_json)
			printf("Saved: %s\n", named ? familiar : v[i].digest);
		(void)json_array_append_new(images, json_pack("{s:s?, s:s}", "reference",
							      named ? familiar : NULL, "digest",
							      v[i].digest));
	}
	o = json_pack("{s:o, s:I}", "images", images, "sizeBytes", (json_int_t)bytes);
	text = o ? json_dumps(o, JSON_INDENT(2)) : NULL;
	json_decref(o);
	if (as_json)
		printf("%s\n", text ? text : "");
	return fflush(stdout) != 0 ? sb_err_set(err, errno, "write to standard output") : 0;
}

/* To standard output: there is nothing else that could be printed there. */
static int save_to_stdout(struct sb_save *save, struct sb_saved *saved, bool as_json,
			  struct sb_err *err)
{
	uint64_t bytes;

	if (as_json) {
		sb_err_refuse(err, EINVAL, "--json needs a file for the archive");
		return sb_err_hint(err, "give one with --output FILE");
	}
	if (isatty(STDOUT_FILENO)) {
		sb_err_refuse(err, EINVAL, "an archive is not for a terminal");
		return sb_err_hint(err, "give a file with --output FILE, or redirect the output");
	}
	/* A reader that goes is an error like another. */
	(void)signal(SIGPIPE, SIG_IGN);
	save->fd = STDOUT_FILENO;
	return sb_save_run(save, saved, &bytes, err);
}

/* The file that is meant: behind links, and nothing but a regular file, since it is replaced. */
static char *resolve(const char *path, struct sb_err *err)
{
	char *real = realpath(path, NULL);
	struct stat st;

	if (!real && errno == ENOENT &&
	    path[0]) /* a new file, or a link to one, which it will replace */
		real = strdup(path);
	if (!real) {
		(void)sb_err_set(err, errno, "open '%.150s'", path);
		return NULL;
	}
	if (stat(real, &st) == 0 && !S_ISREG(st.st_mode)) {
		free(real);
		(void)sb_err_refuse(err, EINVAL, "'%.150s' is not a regular file", path);
		(void)sb_err_hint(err, "without --output the archive goes to standard output");
		return NULL;
	}
	return real;
}

/* To a file beside @path, which takes its name when it is complete. */
static int save_beside(struct sb_save *save, const char *path, struct sb_saved *saved,
		       uint64_t *ret_bytes, struct sb_err *err)
{
	_cleanup_free_ char *temporary = NULL;
	int r;

	if (asprintf(&temporary, "%s.XXXXXX", path) < 0) {
		temporary = NULL;
		return sb_err_set(err, ENOMEM, "create '%.150s'", path);
	}
	save->fd = mkostemp(temporary, O_CLOEXEC); /* mode 0600: images may hold secrets */
	if (save->fd < 0)
		return sb_err_set(err, errno, "create '%.150s'", path);
	r = sb_save_run(save, saved, ret_bytes, err);
	/* Some file systems report a full disk no earlier than here. */
	if (close(save->fd) < 0 && r == 0)
		r = sb_err_set(err, errno, "write '%.150s'", path);
	if (r == 0 && rename(temporary, path) < 0)
		r = sb_err_set(err, errno, "rename to '%.150s'", path);
	if (r < 0)
		(void)unlink(temporary);
	return r;
}

static int save_to_file(struct sb_save *save, const struct sb_image_options *o,
			struct sb_saved *saved, struct sb_err *err)
{
	_cleanup_free_ char *path = resolve(o->output, err);
	sigset_t deadly, before;
	uint64_t bytes = 0;
	int r;

	if (!path)
		return -err->code;
	/* They have to wait until what we have begun is removed; then they take effect. */
	(void)sigemptyset(&deadly);
	(void)sigaddset(&deadly, SIGHUP);
	(void)sigaddset(&deadly, SIGINT);
	(void)sigaddset(&deadly, SIGTERM);
	(void)sigprocmask(SIG_BLOCK, &deadly, &before);
	r = save_beside(save, path, saved, &bytes, err);
	(void)sigprocmask(SIG_SETMASK, &before, NULL);
	return r < 0 ? r : print_saved(saved, save->n, bytes, o->json, err);
}

/**
 * sb_command_save() - Save images as an archive
 * @o:		@store, @output, @format, @json, and the images as arguments
 *
 * Needs root. On failure there is no file that was not there before; what went to standard output
 * before it can't be taken back.
 *
 * Return: 0, or a negative errno value
 */
int sb_command_save(const struct sb_image_options *o, struct sb_err *err)
{
	struct sb_save save = { .references = o->args, .n = (size_t)o->n_args, .fd = -1 };
	_cleanup_free_ struct sb_saved *saved = calloc(save.n, sizeof(*saved));
	_cleanup_fd_ int store = -1, lock = -1;

	if (!saved)
		return sb_err_set(err, ENOMEM, "save images");
	if (parse_format(o->format, &save.format, err) < 0)
		return -err->code;
	if (geteuid() != 0)
		return sb_err_refuse(err, EPERM, "only root can read the store");
	store = open(o->store, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (store < 0)
		return sb_err_set(err, errno, "open '%.150s'", o->store);
	lock = sb_store_lock(store, LOCK_SH, err);
	if (lock < 0)
		return -err->code;
	save.store_dirfd = store;
	if (!o->output || !strcmp(o->output, "-"))
		return save_to_stdout(&save, saved, o->json, err);
	return save_to_file(&save, o, saved, err);
}
