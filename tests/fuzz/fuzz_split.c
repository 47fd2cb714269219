/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_split.c - any bytes as the record of a layer: nothing is read but files of the layer */
#undef NDEBUG
#include <assert.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <zstd.h>

#include "images/digest.h"
#include "images/split.h"
#include "runtime/base/err.h"
#include "runtime/base/path.h"

#define SIZE_MAX_BYTES (1 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The layer has one file "f" of these bytes. */
static const char content[] = "content of the only file";

struct counter {
	struct sb_split_sink base;
	uint64_t bytes;
};

static int count(struct sb_split_sink *base, const void *data, size_t len, struct sb_err *err)
{
	struct counter *c = (struct counter *)base;
	volatile uint8_t last = ((const uint8_t *)data)[len - 1];

	(void)last;
	(void)err;
	c->bytes += len;
	return 0;
}

static char path[] = "/tmp/sbrun-fuzz-XXXXXX";

static void remove_layer(void)
{
	assert(sb_remove_tree_at(AT_FDCWD, path) == 0);
}

static int make_layer(void)
{
	int dirfd, fd;

	assert(mkdtemp(path) && atexit(remove_layer) == 0);
	dirfd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	fd = openat(dirfd, "f", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert(dirfd >= 0 && write(fd, content, sizeof(content)) == sizeof(content));
	close(fd);
	return dirfd;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static int layer = -1;
	static char out[ZSTD_COMPRESSBOUND(SIZE_MAX_BYTES)];
	struct counter c = { .base.write = count };
	struct sb_err err = SB_ERR_INIT;
	char digest[SB_DIGEST_SIZE];
	size_t n;
	int fd;

	if (size > SIZE_MAX_BYTES)
		return 0;
	if (layer < 0)
		layer = make_layer();
	fd = memfd_create("split", MFD_CLOEXEC);
	n = ZSTD_compress(out, sizeof(out), data, size, 1);
	assert(fd >= 0 && !ZSTD_isError(n) && write(fd, out, n) == (ssize_t)n);
	if (sb_split_replay(fd, layer, &c.base, digest, &err) < 0)
		assert(err.code > 0 && err.msg[0]);
	/* Each record of content takes 19 bytes and gives no more than the file has. */
	assert(c.bytes <= size + size / 19 * sizeof(content));
	close(fd);
	return 0;
}
