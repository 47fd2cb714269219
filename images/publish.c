/* SPDX-License-Identifier: Apache-2.0 */
/*
 * publish.c - what was unpacked and verified becomes part of the store
 *
 * DOC: Theory of operation
 *
 * The publisher is the only process of sbrun-image that can reach the whole store, and it reads no
 * byte of what it moves. The unpacker has filled a stage below tmp/: layers/ with a directory and
 * records a layer, blobs/ with manifests and configs. One syncfs(2) brings the stage to disk, then
 * its content is renamed to the directories of the same names in the store, and these are synced;
 * references come last. So a reference never names what is not there, whenever we are killed or the
 * power fails: the order on disk is the order of the calls.
 *
 * Two that bring the same layer do no harm: the second to rename finds the name taken by equal
 * content and drops its own.
 */
#include "images/publish.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "images/load.h"
#include "images/store.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/err.h"
#include "runtime/base/log.h"
#include "runtime/base/path.h"
#include "runtime/base/sys.h"

/**
 * sb_publish_begin() - Open a store, made if it is new, and a stage in it
 * @store_dirfd:	the store; borrowed for as long as the result is used
 * @ret:	ended with sb_publish_end(); written on success only
 *
 * Until then nothing is removed from the store: what is found there can be relied on.
 *
 * Return: 0, or a negative errno value
 */
int sb_publish_begin(int store_dirfd, struct sb_publish *ret, struct sb_err *err)
{
	const int flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;
	struct sb_publish p = SB_PUBLISH_INIT;
	int r = sb_store_create(store_dirfd, err);

	p.store_dirfd = store_dirfd;
	if (r == 0) {
		p.lock_fd = sb_store_lock(store_dirfd, LOCK_SH, err);
		r = p.lock_fd < 0 ? p.lock_fd : 0;
	}
	if (r == 0) {
		p.layers_dirfd = openat(store_dirfd, SB_STORE_LAYERS, flags);
		p.blobs_dirfd = openat(store_dirfd, SB_STORE_BLOBS, flags);
		if (p.layers_dirfd < 0 || p.blobs_dirfd < 0)
			r = sb_err_set(err, errno, "open the store");
	}
	if (r == 0)
		r = sb_stage_create(store_dirfd, &p.stage, err);
	if (r == 0 && (mkdirat(p.stage.dirfd, SB_STORE_LAYERS, 0700) < 0 ||
		       mkdirat(p.stage.dirfd, SB_STORE_BLOBS, 0700) < 0))
		r = sb_err_set(err, errno, "make a directory in the store");
	if (r < 0) {
		sb_publish_end(&p);
		return r;
	}
	*ret = p;
	return 0;
}

/* Whether a name in the stage is one that the store may get: a digest, and for files a suffix. */
static bool is_expected(const struct sb_publish *p, const char *name, bool is_dir)
{
	char head[SB_DIGEST_SIZE] = "", digest[SB_DIGEST_SIZE];
	const char *suffix = name + SB_DIGEST_LEN;

	if (strlen(name) < SB_DIGEST_LEN)
		return false;
	memcpy(head, name, SB_DIGEST_LEN);
	if (sb_digest_from_file_name(head, digest) < 0 ||
	    (p->expects && !p->expects(p->ctx, digest)))
		return false;
	return !suffix[0] ||
	       (!is_dir && (!strcmp(suffix, ".json") || !strcmp(suffix, SB_STORE_SPLIT_SUFFIX)));
}

/* Move what is in @from to @to: files if @mode is S_IFREG, directories if it is S_IFDIR. */
static int move_all(const struct sb_publish *p, int from, int to, mode_t mode, struct sb_err *err)
{
	_cleanup_dir_ DIR *dir = sb_opendir_at(from, ".");
	struct dirent *e;
	struct stat st;

	if (!dir)
		return sb_err_set(err, errno, "read a directory in the store");
	while ((e = readdir(dir))) {
		/* What is of no use is left to the end of the stage. */
		if (fstatat(from, e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
		    (st.st_mode & S_IFMT) != mode || !is_expected(p, e->d_name, mode == S_IFDIR))
			continue;
		if (renameat2(from, e->d_name, to, e->d_name, RENAME_NOREPLACE) < 0 &&
		    errno != EEXIST)
			return sb_err_set(err, errno, "rename '%s' in the store", e->d_name);
	}
	return 0;
}

static int sync_dir(int dirfd, struct sb_err *err)
{
	return fsync(dirfd) < 0 ? sb_err_set(err, errno, "sync the store") : 0;
}

/**
 * sb_publish_layers() - Put the layers and blobs of the stage in their places
 * @p:		store and stage
 *
 * May be called again when the stage was filled again.
 *
 * Return: 0, or a negative errno value (-ENOSPC, -EIO: what delayed writing could not store)
 */
int sb_publish_layers(const struct sb_publish *p, struct sb_err *err)
{
	_cleanup_fd_ int layers = sb_open_dir_at(p->stage.dirfd, SB_STORE_LAYERS, err);
	_cleanup_fd_ int blobs = -1;
	uint64_t start;

	if (layers < 0)
		return -err->code;
	blobs = sb_open_dir_at(p->stage.dirfd, SB_STORE_BLOBS, err);
	if (blobs < 0)
		return -err->code;
	/* Reports errors of writing since Linux 5.8. */
	start = sb_now_us();
	if (syncfs(p->stage.dirfd) < 0)
		return sb_err_set(err, errno, "sync the store");
	sb_debug("%6ju us sync", (uintmax_t)(sb_now_us() - start));
	/* A layer is there when its directory is, so records go first. */
	if (move_all(p, layers, p->layers_dirfd, S_IFREG, err) < 0 ||
	    move_all(p, layers, p->layers_dirfd, S_IFDIR, err) < 0 ||
	    move_all(p, blobs, p->blobs_dirfd, S_IFREG, err) < 0 ||
	    sync_dir(p->layers_dirfd, err) < 0)
		return -err->code;
	return sync_dir(p->blobs_dirfd, err);
}

static int publish_ref(const struct sb_publish *p, const struct sb_loaded *image,
		       struct sb_err *err)
{
	char name[SB_STORE_NAME_SIZE];
	struct sb_image_ref ref;

	if (sb_reference_parse(image->reference, &ref, err) < 0 ||
	    sb_store_ref_file_name(&ref, name, err) < 0)
		return -err->code;
	return sb_store_write_ref(p->store_dirfd, name, image->digest, image->stands_for, err);
}

/**
 * sb_publish_images() - Let references name images whose layers and blobs are in their places
 * @p:		store and stage
 * @images:	images, borrowed
 * @n:		how many
 *
 * Return: 0, or a negative errno value; then some of the references may be there
 */
int sb_publish_images(const struct sb_publish *p, const struct sb_loaded *images, size_t n,
		      struct sb_err *err)
{
	for (size_t i = 0; i < n; i++) {
		char name[SB_DIGEST_SIZE];

		/* What the unpacker says is believed no further than that. */
		sb_digest_file_name(images[i].digest, name);
		if (faccessat(p->blobs_dirfd, name, F_OK, AT_SYMLINK_NOFOLLOW) < 0)
			return sb_err_set(err, errno, "find manifest '%.19s' in the store",
					  images[i].digest);
		if (publish_ref(p, &images[i], err) < 0)
			return -err->code;
	}
	return 0;
}

/**
 * sb_publish_end() - Remove the stage and close the store
 * @p:		also half-made
 */
void sb_publish_end(struct sb_publish *p)
{
	sb_stage_destroy(&p->stage);
	sb_close_fd(&p->layers_dirfd);
	sb_close_fd(&p->blobs_dirfd);
	sb_close_fd(&p->lock_fd);
}
