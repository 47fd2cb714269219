/* SPDX-License-Identifier: Apache-2.0 */
/*
 * partial.c - blobs that are being downloaded, or were before somebody was interrupted
 *
 * Whoever holds flock(2) on partial/<blob> is fetching it; others wait for the lock and then look
 * whether the layer is in the store. The kernel drops the lock of the dead, and what they have
 * downloaded is gone on with. A file is removed by its holder when its layer is in the store.
 */
#include "images/partial.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "images/digest.h"
#include "images/store.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/err.h"
#include "runtime/base/path.h"

/**
 * sb_partial_open() - Open the directory of unfinished downloads
 * @store_dirfd:	the store, with its directories made; borrowed
 *
 * Return: a descriptor that the caller closes, or a negative errno value
 */
int sb_partial_open(int store_dirfd, struct sb_err *err)
{
	return sb_open_dir_at(store_dirfd, SB_STORE_PARTIAL, err);
}

/**
 * sb_partial_take() - Become the one who fetches a blob
 * @partial_dirfd:	partial/ of the store; borrowed
 * @digest:		valid digest of the blob
 * @wait:		wait for another who is at it. The caller must not hold another blob then:
 *			two that wait for each other would wait for ever
 * @ret_fd:		file, whose closing gives the blob back
 *
 * Return: 1, 0 if another is at it, or a negative errno value
 */
int sb_partial_take(int partial_dirfd, const char *digest, bool wait, int *ret_fd,
		    struct sb_err *err)
{
	char name[SB_DIGEST_SIZE];

	sb_digest_file_name(digest, name);
	for (;;) {
		_cleanup_fd_ int fd = openat(partial_dirfd, name,
					     O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
		struct stat st;
		int r;

		if (fd < 0)
			return sb_err_set(err, errno, "create 'partial/%s' in the store", name);
		do
			r = flock(fd, LOCK_EX | (wait ? 0 : LOCK_NB));
		while (r < 0 && errno == EINTR);
		if (r < 0 && errno == EWOULDBLOCK)
			return 0;
		if (r < 0 || fstat(fd, &st) < 0)
			return sb_err_set(err, errno, "lock 'partial/%s' in the store", name);
		/* The former holder may have removed it while we waited. */
		if (st.st_nlink == 0)
			continue;
		*ret_fd = sb_steal_fd(&fd);
		return 1;
	}
}

/**
 * sb_partial_trim() - See how much of a blob is there already
 * @fd:		file from sb_partial_take(); emptied if it is longer than the blob
 * @size:	bytes of the blob
 * @ret_have:	bytes that are there
 *
 * Return: 0, or a negative errno value
 */
int sb_partial_trim(int fd, uint64_t size, uint64_t *ret_have, struct sb_err *err)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return sb_err_set(err, errno, "look at a partial download");
	if ((uint64_t)st.st_size > size) {
		if (ftruncate(fd, 0) < 0)
			return sb_err_set(err, errno, "empty a partial download");
		st.st_size = 0;
	}
	*ret_have = (uint64_t)st.st_size;
	return 0;
}

/**
 * sb_partial_remove() - Remove a blob whose layer is in the store, or that is no good
 * @partial_dirfd:	partial/ of the store; borrowed
 * @digest:		digest of the blob, which the caller holds
 */
void sb_partial_remove(int partial_dirfd, const char *digest)
{
	char name[SB_DIGEST_SIZE];

	sb_digest_file_name(digest, name);
	(void)unlinkat(partial_dirfd, name, 0);
}
