/* SPDX-License-Identifier: Apache-2.0 */
/*
 * image.h - facade of images/ for the layers above: what lies in the store
 *
 * The caller opens the store directory (mode 0700, root) and passes its descriptor. What changes it
 * is in images/manage.h; loading is the work of the program sbrun-image (images/main.c).
 */
#ifndef SB_IMAGES_IMAGE_H
#define SB_IMAGES_IMAGE_H

#include <stddef.h>
#include <stdint.h>

#include "runtime/base/str.h"

struct sb_err;

#define SB_IMAGE_REFERENCE_SIZE 512 /* room for any reference, full or familiar, with its NUL */

/**
 * struct sb_image - one image of the store, ready to be run; strings are owned
 * @reference:		full reference it was found by; NULL if it was found by digest
 * @lock_fd:		while it is open, nothing of the image is removed; -1 if it is not locked
 * @digest:		manifest digest, "sha256:…"
 * @config_digest:	digest of its configuration, docker's image id
 * @size_bytes:		sizes of config and layers as the manifest gives them (compressed)
 * @created_ms:		wall clock, ms since the epoch; -1 if the image doesn't say
 * @architecture:	e.g. "amd64" (Go's names)
 * @os:			"linux"
 * @variant:		of the architecture, e.g. "v8"; NULL if the image doesn't say
 * @env:		"NAME=value"; entries without '=' or name are dropped, never looked up on
 *the host (CVE-2026-57231)
 * @entrypoint:		empty if there is none
 * @cmd:		likewise
 * @working_dir:	NULL if there is none
 * @user:		"user[:group]", as it stands in the image; NULL if there is none
 * @stop_signal:	NULL if there is none
 * @exposed_ports:	"8080/tcp", as they stand in the image
 * @layers:		directory names below layers/, bottom first, each once: a layer that occurs
 *			again hides its earlier occurrence whole, so only the topmost is listed
 */
struct sb_image {
	int lock_fd;
	char *reference;
	char *digest;
	char *config_digest;
	uint64_t size_bytes;
	int64_t created_ms;
	char *architecture;
	char *os;
	char *variant;
	struct sb_strv env;
	struct sb_strv entrypoint;
	struct sb_strv cmd;
	char *working_dir;
	char *user;
	char *stop_signal;
	struct sb_strv exposed_ports;
	struct sb_strv layers;
};

#define SB_IMAGE_INIT                           \
	{                                       \
		.lock_fd = -1, .created_ms = -1 \
	}

/**
 * struct sb_image_info - one line of a list of images; strings are owned
 * @reference:	full reference
 * @digest:	manifest digest
 * @index:	what the reference stands for in its registry; NULL if that is not known
 * @error:	why the image cannot be read: then what follows but @sandboxes is NULL or 0; else
 * NULL
 * @id:		digest of its configuration
 * @os:		as in struct sb_image, like the two next
 * @architecture: …
 * @variant:	…
 * @sandboxes:	how many are made of it
 * @created_ms:	as in struct sb_image
 * @size_bytes:	content of the files of all its layers, as unpacked
 * @shared_bytes: as much of it is in layers that another image has, too
 */
struct sb_image_info {
	char *reference;
	char *digest;
	char *index;
	char *error;
	char *id;
	char *os;
	char *architecture;
	char *variant;
	size_t sandboxes;
	int64_t created_ms;
	uint64_t size_bytes;
	uint64_t shared_bytes;
};

/**
 * struct sb_image_list - what the store holds, sorted by reference as people write it
 * @v:	images
 * @n:	how many
 */
struct sb_image_list {
	struct sb_image_info *v;
	size_t n;
};

#define SB_IMAGE_LIST_INIT \
	{                  \
		.v = NULL  \
	}

int sb_image_open(int store_dirfd, const char *reference, struct sb_image *ret, struct sb_err *err);
void sb_image_unlock(struct sb_image *image);
void sb_image_done(struct sb_image *image);
int sb_image_familiar(const char *reference, char *buf, size_t size);
int sb_images_list(int store_dirfd, struct sb_image_list *ret, struct sb_err *err);
void sb_images_list_done(struct sb_image_list *list);

#endif /* SB_IMAGES_IMAGE_H */
