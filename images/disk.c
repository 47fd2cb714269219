/* SPDX-License-Identifier: Apache-2.0 */
/* disk.c - how much space things in the store take */
#include "images/disk.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "images/store.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/err.h"

/* A sandbox can nest directories without end, our descriptors are few: deeper ones don't count. */
#define DEPTH_MAX 256

static uint64_t walk(int dirfd, const char *name, int depth);

/* What is in the directory @name. Links are never followed: it may belong to a sandbox that runs.
 */
static uint64_t walk_dir(int parent, const char *name, int depth)
{
	_cleanup_fd_ int fd =
		openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	_cleanup_dir_ DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	uint64_t sum = 0;
	struct dirent *e;

	if (dir)
		(void)sb_steal_fd(&fd); /* it is the stream's now */
	while (dir && (e = readdir(dir)))
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
			sum += walk(dirfd(dir), e->d_name, depth + 1);
	return sum;
}

static uint64_t walk(int dirfd, const char *name, int depth)
{
	struct stat st;
	uint64_t own;

	if (depth > DEPTH_MAX || fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return 0;
	own = (uint64_t)st.st_blocks * 512; /* stat(2): always units of 512 bytes */
	if (S_ISDIR(st.st_mode))
		return own + walk_dir(dirfd, name, depth);
	/* Each of the names of a file counts its part of it. */
	return own / (st.st_nlink ? st.st_nlink : 1);
}

/**
 * sb_disk_bytes() - Space that a file, or a directory with all that is in it, takes
 * @dirfd:	directory; borrowed
 * @name:	entry in it
 *
 * Return: bytes of the disk; what vanishes meanwhile or can't be read doesn't count
 */
uint64_t sb_disk_bytes(int dirfd, const char *name)
{
	return walk(dirfd, name, 0);
}

/**
 * sb_disk_file_bytes() - Content of a file
 * @dirfd:	directory; borrowed
 * @name:	entry in it
 *
 * Return: bytes; 0 if it has vanished, or is no file
 */
uint64_t sb_disk_file_bytes(int dirfd, const char *name)
{
	struct stat st;

	if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(st.st_mode))
		return 0;
	return (uint64_t)st.st_size;
}

/**
 * sb_disk_layer_bytes() - Content of the files of a layer
 * @store_dirfd:	the store; borrowed
 * @layer:	name of its directory
 *
 * Return: bytes as its record has them, or space on the disk if it has none
 */
uint64_t sb_disk_layer_bytes(int store_dirfd, const char *layer)
{
	char path[sizeof(SB_STORE_LAYERS) + SB_DIGEST_SIZE];
	struct sb_layer_record record;
	struct sb_err ignored = SB_ERR_INIT;

	snprintf(path, sizeof(path), SB_STORE_LAYERS "/%s", layer);
	if (sb_store_read_record(store_dirfd, path, &record, &ignored) == 0)
		return record.file_bytes;
	return sb_disk_bytes(store_dirfd, path);
}

/**
 * sb_tally_add() - Count one more
 * @tally:	things of its kind
 * @bytes:	space it takes
 */
void sb_tally_add(struct sb_tally *tally, uint64_t bytes)
{
	tally->n++;
	tally->bytes += bytes;
}

/**
 * sb_tally_subtract() - Leave out a part that counts elsewhere
 * @tally:	things of its kind
 * @part:	some of them; what was counted before others came or went may be more than there is
 */
void sb_tally_subtract(struct sb_tally *tally, const struct sb_tally *part)
{
	tally->n -= part->n < tally->n ? part->n : tally->n;
	tally->bytes -= part->bytes < tally->bytes ? part->bytes : tally->bytes;
}
