/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stage.c - the place in the store where one load works before it commits
 *
 * Whoever dies leaves its directory behind, but not its lock: the kernel drops that with the last
 * descriptor. So each load first removes every directory in tmp/ whose lock it can take. A creator
 * that is overtaken between mkdir(2) and flock(2) sees that its directory is gone and tries again.
 */
#include "images/stage.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "images/disk.h"
#include "images/store.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/err.h"
#include "runtime/base/path.h"

#define TRIES 1000

/*
 * Remove @name if its owner is dead, or if it is no directory and so has no owner; @dry: only count
 * it. @tally may be NULL.
 */
static void sweep_one(int tmp_dirfd, const char *name, bool dry, struct sb_tally *tally)
{
	_cleanup_fd_ int fd =
		openat(tmp_dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) < 0)
		return;
	if (fd < 0 && errno != ENOTDIR && errno != ELOOP)
		return;
	if (tally)
		sb_tally_add(tally, sb_disk_bytes(tmp_dirfd, name));
	/* What can't be removed is in nobody's way: names are not used again while they exist. */
	if (!dry)
		(void)sb_remove_tree_at(tmp_dirfd, name);
}

/**
 * sb_stage_sweep() - Remove what dead loads left
 * @store_dirfd:	the store, with its directories made; borrowed
 * @dry:	remove nothing, only count
 * @tally:	what was removed is added; may be NULL, which spares looking at every file
 *
 * Return: 0, or a negative errno value
 */
int sb_stage_sweep(int store_dirfd, bool dry, struct sb_tally *tally, struct sb_err *err)
{
	_cleanup_dir_ DIR *dir = sb_opendir_at(store_dirfd, SB_STORE_TMP);
	struct dirent *e;

	if (!dir)
		return sb_err_set(err, errno, "open '%s' in the store", SB_STORE_TMP);
	while ((e = readdir(dir)))
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
			sweep_one(dirfd(dir), e->d_name, dry, tally);
	return 0;
}

/* Make and lock @name. Return: 0, 1: try another name, or < 0 */
static int make(struct sb_stage *stage, struct sb_err *err)
{
	_cleanup_fd_ int fd = -1;
	struct stat st;

	if (mkdirat(stage->tmp_dirfd, stage->name, 0700) < 0)
		return errno == EEXIST ? 1
				       : sb_err_set(err, errno, "make a directory in the store");
	fd = openat(stage->tmp_dirfd, stage->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT)
		return 1;
	if (fd < 0 || flock(fd, LOCK_EX) < 0 || fstat(fd, &st) < 0)
		return sb_err_set(err, errno, "lock a directory in the store");
	if (st.st_nlink == 0)
		return 1;
	stage->dirfd = sb_steal_fd(&fd);
	return 0;
}

/**
 * sb_stage_create() - Remove what dead loads left and make a place for a new one
 * @store_dirfd:	the store, with its directories made; borrowed
 * @ret:	ended with sb_stage_destroy(); written on success only
 *
 * Return: 0, or a negative errno value
 */
int sb_stage_create(int store_dirfd, struct sb_stage *ret, struct sb_err *err)
{
	struct sb_stage stage = SB_STAGE_INIT;
	int r;

	stage.tmp_dirfd = openat(store_dirfd, SB_STORE_TMP, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (stage.tmp_dirfd < 0)
		return sb_err_set(err, errno, "open '%s' in the store", SB_STORE_TMP);
	r = sb_stage_sweep(store_dirfd, false, NULL, err);
	for (int i = 0; r == 0 && i < TRIES && stage.dirfd < 0; i++) {
		snprintf(stage.name, sizeof(stage.name), "load-%d-%d", getpid(), i);
		r = make(&stage, err);
		r = r > 0 ? 0 : r;
	}
	if (r == 0 && stage.dirfd < 0)
		r = sb_err_set(err, EEXIST, "make a directory in the store");
	if (r < 0) {
		sb_close_fd(&stage.tmp_dirfd);
		return r;
	}
	*ret = stage;
	return 0;
}

/**
 * sb_stage_destroy() - Remove the place and whatever is still in it
 * @stage:	place, or one that was never made
 */
void sb_stage_destroy(struct sb_stage *stage)
{
	/* If something can't be removed, the next load tries again. */
	if (stage->dirfd >= 0)
		(void)sb_remove_tree_at(stage->tmp_dirfd, stage->name);
	sb_close_fd(&stage->dirfd);
	sb_close_fd(&stage->tmp_dirfd);
}
