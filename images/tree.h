/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tree.h - directories of a layer being unpacked: how to reach, make and mark them
 */
#ifndef SB_IMAGES_TREE_H
#define SB_IMAGES_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <time.h>

#include "images/limits.h"

struct sb_err;

/**
 * struct sb_layer_hooks - what the unpacker asks its creator to do
 * @set_opaque:	mark a directory so that overlay shows nothing of lower layers in it; 0 or -errno.
 *		NULL: set the attribute directly, which needs CAP_SYS_ADMIN
 * @unpacked:	told of each layer that is unpacked and verified; NULL: untold
 * @ctx:	passed to both
 */
struct sb_layer_hooks {
	int (*set_opaque)(void *ctx, int dirfd);
	void (*unpacked)(void *ctx, const char *diff_id);
	void *ctx;
};

/**
 * struct sb_tree - a layer directory that is being filled
 * @root:	its descriptor, borrowed
 * @hooks:	borrowed; may be NULL
 * @parent_fd:	O_PATH descriptor of the directory last worked in; -1 if there is none
 * @parent:	its path from the root
 * @inherits:	a directory with the set-group-id bit was made: new files may get its group
 * @dirs:	directories whose times are still to be set: struct timespec, path, NUL, …
 * @dirs_len:	bytes used
 * @dirs_size:	bytes there are
 * @dirs_max:	bytes there may be
 */
struct sb_tree {
	int root;
	const struct sb_layer_hooks *hooks;
	int parent_fd;
	char parent[SB_LAYER_PATH_SIZE];
	bool inherits;
	char *dirs;
	size_t dirs_len;
	size_t dirs_size;
	size_t dirs_max;
};

int sb_tree_init(struct sb_tree *tree, int root, const struct sb_layer_hooks *hooks,
		 size_t dirs_max, struct sb_err *err);
void sb_tree_done(struct sb_tree *tree);
int sb_tree_enter(struct sb_tree *tree, const char *path, const char **ret_name,
		  struct sb_err *err);
int sb_tree_find(struct sb_tree *tree, const char *path, char *ret_name, struct sb_err *err);
int sb_tree_make_dir(struct sb_tree *tree, int dirfd, const char *name, struct sb_err *err);
int sb_tree_set_opaque(struct sb_tree *tree, int dirfd, struct sb_err *err);
bool sb_tree_is_whiteout(int dirfd, const char *name);
int sb_tree_note_time(struct sb_tree *tree, const char *path, const struct timespec *mtime,
		      struct sb_err *err);
int sb_tree_set_times(struct sb_tree *tree, struct sb_err *err);

#endif /* SB_IMAGES_TREE_H */
