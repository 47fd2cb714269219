/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_tar.c - any bytes as a tar: what the reader lets through keeps its promises */
#undef NDEBUG
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "images/limits.h"
#include "images/source.h"
#include "images/tar.h"
#include "runtime/base/err.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_entry(const struct sb_tar_entry *e, const struct sb_layer_limits *limits)
{
	char again[SB_LAYER_PATH_SIZE], shown[SB_TAR_SHOWN_SIZE];
	struct sb_err err = SB_ERR_INIT;
	struct sb_tar_xattr x;
	size_t pos = 0;

	/* A path that is clean is not changed by cleaning. */
	assert(sb_tar_clean_path(e->path, limits->depth, again, &err) == 0);
	assert(!strcmp(again, e->path));
	assert(e->path[0] != '/');
	assert(strlen(sb_tar_shown(e->path, shown)) < SB_TAR_SHOWN_SIZE);
	assert((e->mode & ~07777U) == 0);
	assert(e->uid != (uid_t)-1 && e->gid != (gid_t)-1);
	assert(e->type != SB_TAR_SYMLINK || e->link[0]);
	while (sb_tar_next_xattr(e, &pos, &x))
		assert(x.name[0] && pos <= e->xattrs_len && x.len <= limits->xattr_bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sb_layer_limits limits = SB_LAYER_LIMITS_DEFAULT;
	struct sb_err err = SB_ERR_INIT;
	const struct sb_tar_entry *e;
	struct sb_mem_source from;
	struct sb_tar *tar;
	const uint8_t *piece;

	if (size == 0)
		return 0;
	/* The first byte says how the rest is cut into pieces. */
	sb_source_from_memory(&from, data + 1, size - 1, (size_t)data[0] * 4 + 1);
	limits.entries = 1000;
	tar = sb_tar_new(&from.base, &limits, &err);
	assert(tar);
	while (sb_tar_next(tar, &e, &err) > 0) {
		uint64_t got = 0, end = 0, at = 0;
		ssize_t n;

		check_entry(e, &limits);
		/* Some bodies are read, others are passed over. */
		if (e->mode & 1)
			continue;
		while ((n = sb_tar_read(tar, &piece, &at, &err)) > 0) {
			assert(at >= end && (uint64_t)n <= e->size - at);
			end = at + (uint64_t)n;
			got += (uint64_t)n;
		}
		assert(n < 0 || got == e->stored);
		assert(e->stored <= e->size);
	}
	assert(sb_tar_offset(tar) <= size);
	sb_tar_free(tar);
	return 0;
}
