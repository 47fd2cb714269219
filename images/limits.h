/* SPDX-License-Identifier: Apache-2.0 */
/*
 * limits.h - what a layer may ask for before it is refused
 *
 * A layer is made by strangers and compressed up to 1032 : 1 (deflate's limit), so every resource
 * that a byte of it can claim is bounded, and the bound is checked before the resource is taken.
 */
#ifndef SB_IMAGES_LIMITS_H
#define SB_IMAGES_LIMITS_H

#include <stddef.h>
#include <stdint.h>

#define SB_IMAGE_LAYERS_MAX 128 /* of one image; overlay itself stops at 500 directories */

#define SB_IMAGE_DOCUMENTS_MAX 80 /* indexes that lead to one image: more than index.c reads */

#define SB_LAYER_NAME_MAX 255 /* bytes of one path component: NAME_MAX of Linux */
#define SB_LAYER_PATH_SIZE                                                     \
	4096 /* bytes of a path or link target with its NUL: PATH_MAX of Linux \
	      */

/**
 * struct sb_layer_limits - bounds for one layer
 * @tar_bytes:		length of the uncompressed tar
 * @ratio:		most times the uncompressed tar may be longer than the compressed one…
 * @ratio_free_bytes:	…once it is longer than this
 * @entries:		headers in the tar
 * @depth:		components of a path
 * @pax_bytes:		length of one extended header (PAX records, GNU long names)
 * @xattr_bytes:	names and values of the extended attributes of one entry
 * @sparse_pieces:	pieces of data between the holes of one sparse file
 * @dir_bytes:		memory for the paths of all directories, kept until their times are set
 */
struct sb_layer_limits {
	uint64_t tar_bytes;
	uint64_t ratio;
	uint64_t ratio_free_bytes;
	uint64_t entries;
	unsigned int depth;
	size_t pax_bytes;
	size_t xattr_bytes;
	size_t sparse_pieces;
	size_t dir_bytes;
};

/* For sb_err_hint(), with the key of a limit that was met. */
#define SB_LAYER_LIMIT_HINT "limits.%s in the configuration file raises that"

#define SB_LAYER_LIMITS_DEFAULT                                                            \
	{                                                                                  \
		.tar_bytes = UINT64_C(64) << 30, .ratio = 200,                             \
		.ratio_free_bytes = UINT64_C(1) << 30, .entries = 1000000, .depth = 256,   \
		.pax_bytes = 1 << 20, .xattr_bytes = 64 << 10, .sparse_pieces = 256 << 10, \
		.dir_bytes = 16 << 20,                                                     \
	}

#endif /* SB_IMAGES_LIMITS_H */
