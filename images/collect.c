/* SPDX-License-Identifier: Apache-2.0 */
/*
 * collect.c - remove from the store what nothing keeps
 *
 * DOC: Theory of operation
 *
 * Mark and sweep. Roots are the references and the links of sandboxes (roots.c). An image keeps its
 * manifest, the index it came by, its configuration, and the layers that this lists. The mark
 * phase refuses to go on if any image cannot be read: its layers are unknown, so each layer might
 * be one of them.
 *
 * The lock is held exclusively meanwhile, so that nothing is published between mark and sweep, and
 * new sandboxes wait for it. So only names change hands under it: layers move into a stage of our
 * own in tmp/, one rename(2) each, and their thousands of files are deleted after it is released.
 *
 * Killed anywhere, the store works: references go first, a layer goes whole, then its records, and
 * what is in the stage is removed by the next load or collection like that of any dead load. A loss
 * of power is no different: the journals of ext4, xfs and btrfs keep changes of names in order, so
 * no name comes back without its layers.
 */
#include "images/collect.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "images/inventory.h"
#include "images/stage.h"
#include "images/store.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/err.h"
#include "runtime/base/path.h"

#define PARTIAL_KEPT_S (24 * 60 * 60)

/**
 * struct sweep - one sweep at work
 * @how:	what is wanted
 * @keep:	images that stay
 * @blobs:	names of their blobs, sorted
 * @stage:	where layers go before they are deleted
 * @result:	what was removed
 */
struct sweep {
	const struct sb_collection *how;
	struct sb_inventory keep;
	struct sb_strv blobs;
	struct sb_stage stage;
	struct sb_collected result;
};

static int mark_blob(struct sweep *s, const char *digest, struct sb_err *err)
{
	char name[SB_DIGEST_SIZE];

	sb_digest_file_name(digest, name);
	return sb_strv_add(&s->blobs, name, err);
}

static int mark(struct sweep *s, struct sb_err *err)
{
	unsigned int how = SB_INVENTORY_STRICT;

	if (s->how->dry)
		how = s->how->unused ? SB_INVENTORY_STRICT | SB_INVENTORY_IN_USE : 0;
	if (sb_inventory_read(s->how->store_dirfd, how, &s->keep, err) < 0)
		return -err->code;
	for (size_t i = 0; i < s->keep.n_images; i++) {
		const struct sb_inventory_image *image = &s->keep.images[i];

		if (mark_blob(s, image->root->digest, err) < 0 ||
		    (!image->error.code && mark_blob(s, image->image.config_digest, err) < 0))
			return -err->code;
		for (size_t k = 0; k < image->root->indexes.n; k++)
			if (mark_blob(s, image->root->indexes.v[k], err) < 0)
				return -err->code;
	}
	sb_strv_sort(&s->blobs);
	return 0;
}

/* The part of @name that stands for a digest, or false: then it is none of our business. */
static bool stem_of(const char *name, const char *const suffixes[], size_t n, char *ret_stem)
{
	char stem[SB_DIGEST_SIZE], digest[SB_DIGEST_SIZE];

	snprintf(stem, sizeof(stem), "%.*s", SB_DIGEST_LEN, name);
	if (sb_digest_from_file_name(stem, digest) < 0)
		return false;
	for (size_t i = 0; i < n; i++) {
		if (strcmp(name + SB_DIGEST_LEN, suffixes[i]) != 0)
			continue;
		memcpy(ret_stem, stem, sizeof(stem));
		return true;
	}
	return false;
}

static int remove_blob(struct sweep *s, int dirfd, const char *name, struct sb_err *err)
{
	static const char *const suffixes[] = { "" };
	char stem[SB_DIGEST_SIZE];

	if (!stem_of(name, suffixes, SB_ARRAY_SIZE(suffixes), stem) ||
	    sb_strv_has_sorted(&s->blobs, stem))
		return 0;
	sb_tally_add(&s->result.blobs, sb_disk_file_bytes(dirfd, name));
	if (!s->how->dry && unlinkat(dirfd, name, 0) < 0 && errno != ENOENT)
		return sb_err_set(err, errno, "remove '%s' from the store", name);
	return 0;
}

/* Out of layers/ at once; the stage is deleted when new sandboxes don't wait for us any more. */
static int discard(struct sweep *s, int dirfd, const char *name, struct sb_err *err)
{
	if (s->how->dry || renameat(dirfd, name, s->stage.dirfd, name) == 0 || errno == ENOENT)
		return 0;
	return sb_err_set(err, errno, "remove '%s' from the store", name);
}

/* A layer with what is remembered about it: directory first, a layer without records is broken. */
static int remove_layer(struct sweep *s, int dirfd, const char *name, struct sb_err *err)
{
	static const char *const suffixes[] = { "", SB_STORE_RECORD_SUFFIX, SB_STORE_SPLIT_SUFFIX };
	char stem[SB_DIGEST_SIZE], side[SB_STORE_NAME_SIZE];

	if (!stem_of(name, suffixes, SB_ARRAY_SIZE(suffixes), stem) ||
	    sb_inventory_find(&s->keep, stem))
		return 0;
	if (faccessat(dirfd, stem, F_OK, AT_SYMLINK_NOFOLLOW) == 0) {
		/* Counted once, when the directory comes by. */
		if (s->how->dry && strcmp(name, stem) != 0)
			return 0;
		sb_tally_add(&s->result.layers, sb_disk_layer_bytes(s->how->store_dirfd, stem));
	}
	for (size_t i = 0; i < SB_ARRAY_SIZE(suffixes); i++) {
		snprintf(side, sizeof(side), "%s%s", stem, suffixes[i]);
		if (discard(s, dirfd, side, err) < 0)
			return -err->code;
	}
	return 0;
}

/* An unfinished download that nobody works on: whoever does holds its lock. */
static int remove_partial(struct sweep *s, int dirfd, const char *name, struct sb_err *err)
{
	_cleanup_fd_ int fd =
		openat(dirfd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) ||
	    flock(fd, LOCK_EX | LOCK_NB) < 0)
		return 0;
	if (!s->how->all_partials && time(NULL) - st.st_mtim.tv_sec < PARTIAL_KEPT_S)
		return 0;
	sb_tally_add(&s->result.partials, (uint64_t)st.st_blocks * 512);
	if (!s->how->dry && unlinkat(dirfd, name, 0) < 0 && errno != ENOENT)
		return sb_err_set(err, errno, "remove '%s' from the store", name);
	return 0;
}

/* What a command was killed in the middle of: who writes here holds the lock we have. */
static int remove_leftover(struct sweep *s, int dirfd, const char *name, struct sb_err *err)
{
	if (s->how->dry || name[0] != '.' || unlinkat(dirfd, name, 0) == 0 || errno == ENOENT)
		return 0;
	return sb_err_set(err, errno, "remove '%s' from the store", name);
}

/* Show every entry of a directory of the store, which may be missing, to @fn. */
static int for_each(struct sweep *s, const char *where,
		    int (*fn)(struct sweep *s, int dirfd, const char *name, struct sb_err *err),
		    struct sb_err *err)
{
	_cleanup_dir_ DIR *dir = sb_opendir_at(s->how->store_dirfd, where);
	struct dirent *e;
	int r = 0;

	if (!dir)
		return errno == ENOENT ? 0
				       : sb_err_set(err, errno, "open '%s' in the store", where);
	while (r == 0 && (e = readdir(dir)))
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
			r = fn(s, dirfd(dir), e->d_name, err);
	return r;
}

static int sweep(struct sweep *s, struct sb_err *err)
{
	if (s->how->unname && s->how->unname(s->how->store_dirfd, s->how->arg, err) < 0)
		return -err->code;
	if (mark(s, err) < 0 || for_each(s, SB_STORE_REFS, remove_leftover, err) < 0 ||
	    for_each(s, SB_STORE_LAYERS, remove_layer, err) < 0 ||
	    for_each(s, SB_STORE_BLOBS, remove_blob, err) < 0)
		return -err->code;
	return for_each(s, SB_STORE_PARTIAL, remove_partial, err);
}

/* Lock, sweep, unlock; deleting what was moved away comes after that. */
static int run(struct sweep *s, struct sb_err *err)
{
	_cleanup_fd_ int lock = -1;
	int store = s->how->store_dirfd;

	if (sb_stage_sweep(store, s->how->dry, &s->result.stages, err) < 0)
		return -err->code;
	if (s->how->dry)
		return sweep(s, err);
	if (sb_stage_create(store, &s->stage, err) < 0)
		return -err->code;
	lock = sb_store_lock(store, LOCK_EX, err);
	return lock < 0 ? -err->code : sweep(s, err);
}

/**
 * sb_collect() - Remove from the store what nothing keeps
 * @how:	what to do
 * @ret:	what was removed, also as far as it came on failure
 *
 * New sandboxes and loads wait while the store is looked through (milliseconds), not while files
 * are deleted. What a killed collection leaves undone is done by the next, or by a load.
 *
 * Return: 0, or a negative errno value (-EBUSY: see sb_store_lock(); -EPROTO: an image cannot be
 * read, so nothing was removed but what @unname did)
 */
int sb_collect(const struct sb_collection *how, struct sb_collected *ret, struct sb_err *err)
{
	struct sweep s = { .how = how, .keep = SB_INVENTORY_INIT, .stage = SB_STAGE_INIT };
	int r = 0;

	/* A store that no image was ever put into has nothing to remove, and keeps nothing. */
	if (faccessat(how->store_dirfd, SB_STORE_TMP, F_OK, 0) == 0)
		r = run(&s, err);
	else if (how->unname)
		r = how->unname(how->store_dirfd, how->arg, err);
	sb_stage_destroy(&s.stage);
	sb_strv_done(&s.blobs);
	sb_inventory_done(&s.keep);
	*ret = s.result;
	return r;
}

/**
 * sb_collected_bytes() - Space that was freed, or can be
 * @c:	what was removed
 *
 * Return: bytes; of a layer, the content of its files
 */
uint64_t sb_collected_bytes(const struct sb_collected *c)
{
	return c->layers.bytes + c->blobs.bytes + c->partials.bytes + c->stages.bytes;
}
