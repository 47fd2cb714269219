/* SPDX-License-Identifier: Apache-2.0 */
/*
 * split.h - what a layer's tar has around the files, so that the tar can be made again
 */
#ifndef SB_IMAGES_SPLIT_H
#define SB_IMAGES_SPLIT_H

#include <stddef.h>
#include <stdint.h>

struct sb_err;
struct sb_split;

/**
 * struct sb_split_sink - who gets the bytes of a tar made again; first member of whatever is one
 * @write:	takes some: 0, or a negative errno value
 */
struct sb_split_sink {
	int (*write)(struct sb_split_sink *sink, const void *data, size_t len, struct sb_err *err);
};

struct sb_split *sb_split_new(int fd, struct sb_err *err);
void sb_split_free(struct sb_split *split);
int sb_split_add_raw(struct sb_split *split, const void *data, size_t len, struct sb_err *err);
int sb_split_add_content(struct sb_split *split, const char *path, uint64_t offset, uint64_t len,
			 struct sb_err *err);
void sb_split_spoil(struct sb_split *split, const char *path);
int sb_split_finish(struct sb_split *split, struct sb_err *err);

int sb_split_open(int layers_dirfd, const char *layer, struct sb_err *err);
int sb_split_replay(int fd, int layer_dirfd, struct sb_split_sink *sink, char *ret_digest,
		    struct sb_err *err);

static inline void sb_cleanup_split(struct sb_split **split)
{
	sb_split_free(*split);
}
#define _cleanup_split_ __attribute__((cleanup(sb_cleanup_split)))

#endif /* SB_IMAGES_SPLIT_H */
