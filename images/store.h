/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store.h - where unpacked images lie: names and layout of the store directory
 *
 *   lock                          see sb_store_lock()
 *   refs/<reference, '/' as %2F>  manifest digest and a newline: the commit point of a load; a
 *                                 second line is the digest of an index that the name stands for
 *   blobs/sha256-<hex>            manifests and configs as received, 0600
 *   layers/sha256-<diff_id>/      one unpacked directory per layer
 *   layers/sha256-<diff_id>.json  {"tarBytes", "fileBytes", "entries"} of that layer
 *   layers/sha256-<diff_id>.split what its tar had between the files, if that is known
 *   partial/sha256-<hex>          blobs being downloaded; who is at one holds flock(2) on it
 *   tmp/load-<pid>-<n>/           work in progress; its owner holds flock(2) on the directory
 *   sandboxes…/<id>/image         symbolic link: name of the manifest that the sandbox is made of
 *
 * All directories are 0700 root. A name appears by rename(2) when what it stands for is complete;
 * there is no other commit, no database, no counter. What no reference and no sandbox reaches is
 * garbage (images/collect.c).
 */
#ifndef SB_IMAGES_STORE_H
#define SB_IMAGES_STORE_H

#include <stddef.h>
#include <stdint.h>

#include "images/digest.h"
#include "images/reference.h"

struct sb_err;

#define SB_STORE_REFS   "refs"
#define SB_STORE_BLOBS  "blobs"
#define SB_STORE_LAYERS "layers"
#define SB_STORE_TMP    "tmp"
#define SB_STORE_LOCK   "lock"

#define SB_STORE_PARTIAL    "partial"
#define SB_STORE_SANDBOXES  "sandboxes" /* what the names of their directories begin with */
#define SB_STORE_IMAGE_LINK "image"

#define SB_STORE_RECORD_SUFFIX ".json"
#define SB_STORE_SPLIT_SUFFIX  ".split"

/* Both may come from a hostile archive. containerd caps manifests at 4 MiB. */
#define SB_MANIFEST_MAX_BYTES (4 << 20)
#define SB_CONFIG_MAX_BYTES   (8 << 20)

#define SB_STORE_NAME_SIZE 256 /* NAME_MAX and a NUL */

/**
 * struct sb_layer_record - what is remembered about a layer
 * @tar_bytes:	length of its uncompressed tar
 * @file_bytes:	content of its regular files, each hard-linked file once, without holes: what they
 *		take on disk
 * @entries:	files, directories and others
 */
struct sb_layer_record {
	uint64_t tar_bytes;
	uint64_t file_bytes;
	uint64_t entries;
};

int sb_store_create(int store_dirfd, struct sb_err *err);
int sb_store_lock(int store_dirfd, int operation, struct sb_err *err);
int sb_store_ref_file_name(const struct sb_image_ref *ref, char *ret_name, struct sb_err *err);
int sb_store_ref_from_file_name(const char *name, struct sb_image_ref *ret);
int sb_store_read_ref(int refs_dirfd, const char *name, char *ret_digest, char *ret_index);
int sb_store_write_ref(int store_dirfd, const char *name, const char *digest, const char *index,
		       struct sb_err *err);
int sb_store_read_blob(int store_dirfd, const char *digest, size_t max, char **ret, size_t *ret_len,
		       struct sb_err *err);
int sb_store_read_record(int layers_dirfd, const char *layer, struct sb_layer_record *ret,
			 struct sb_err *err);
int sb_store_write_record(int dirfd, const char *layer, const struct sb_layer_record *record,
			  struct sb_err *err);

#endif /* SB_IMAGES_STORE_H */
