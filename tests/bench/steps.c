/* SPDX-License-Identifier: Apache-2.0 */
/*
 * steps.c - what unpacking an image costs at least: each step alone, on one processor
 *
 * Usage: sb_steps DIR BLOB...
 *
 * Takes the gzip layers BLOB, lowest first, and times one step after the other over all of them:
 * the digest of the compressed bytes, inflating them, the digest of the tar, and making its files
 * in directories below DIR (by openat, write, fchown, fchmod, futimens); then syncfs, of the whole
 * file system. Prints "step<tab>milliseconds<tab>bytes" for each, for the files their number. The
 * layers are in memory before the clock starts, and nothing is checked: for images that
 * tools/mkimage has made.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <openssl/evp.h>

#ifdef SB_HAVE_ISAL
#include <isa-l/igzip_lib.h>
#else
#include <zlib.h>
#endif

#define MAX_BLOBS   128
#define CHUNK_BYTES (256 << 10)
#define BLOCK       512 /* of a tar */
#define NAME_SIZE   4096

struct blob {
	uint8_t *gz;
	size_t gz_len;
	uint8_t *tar;
	size_t tar_len;
};

struct names {
	char path[NAME_SIZE];
	char link[NAME_SIZE];
};

static void die(const char *what, const char *subject)
{
	fprintf(stderr, "sb_steps: %s '%s': %s\n", what, subject,
		errno ? strerror(errno) : "not as expected");
	exit(2);
}

static double now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec * 1e3 + (double)ts.tv_nsec / 1e6;
}

static void read_blob(struct blob *blob, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	void *map;

	if (fd < 0 || fstat(fd, &st) < 0)
		die("open", path);
	map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE | MAP_POPULATE, fd, 0);
	if (map == MAP_FAILED)
		die("map", path);
	close(fd);
	*blob = (struct blob){ .gz = map, .gz_len = (size_t)st.st_size };
}

static void hash(const uint8_t *data, size_t len)
{
	unsigned char digest[EVP_MAX_MD_SIZE];

	if (EVP_Digest(data, len, digest, NULL, EVP_sha256(), NULL) != 1)
		die("hash", "a layer");
}

/*
 * Inflate @blob in pieces of @piece bytes, all to @out, or one after the other behind each other if
 * @advance. Return: bytes that came out
 */
#ifdef SB_HAVE_ISAL
static size_t inflate_blob(const struct blob *blob, uint8_t *out, size_t piece, bool advance)
{
	static struct inflate_state state;
	size_t total = 0;

	isal_inflate_init(&state);
	state.crc_flag = ISAL_GZIP;
	state.next_in = blob->gz;
	state.avail_in = (uint32_t)blob->gz_len;
	while (state.block_state != ISAL_BLOCK_FINISH) {
		state.next_out = out + (advance ? total : 0);
		state.avail_out = (uint32_t)piece;
		errno = 0;
		if (isal_inflate(&state) != ISAL_DECOMP_OK || state.avail_out == piece)
			die("inflate", "a layer");
		total += piece - state.avail_out;
	}
	return total;
}
#else
static size_t inflate_blob(const struct blob *blob, uint8_t *out, size_t piece, bool advance)
{
	z_stream z = { .next_in = blob->gz, .avail_in = (uInt)blob->gz_len };
	size_t total = 0;
	int r = inflateInit2(&z, MAX_WBITS + 16); /* gzip only: zlib.h */

	while (r == Z_OK) {
		z.next_out = out + (advance ? total : 0);
		z.avail_out = (uInt)piece;
		r = inflate(&z, Z_NO_FLUSH);
		total += piece - z.avail_out;
	}
	errno = 0;
	if (r != Z_STREAM_END)
		die("inflate", "a layer");
	inflateEnd(&z);
	return total;
}
#endif

static size_t inflate_away(struct blob *blob)
{
	static uint8_t chunk[CHUNK_BYTES];

	return blob->tar_len = inflate_blob(blob, chunk, sizeof(chunk), false);
}

/* One piece of room more than it takes: the pieces are of full size. */
static void inflate_into_memory(struct blob *blob)
{
	blob->tar = malloc(blob->tar_len + CHUNK_BYTES);
	if (!blob->tar)
		die("keep", "a layer");
	inflate_blob(blob, blob->tar, CHUNK_BYTES, true);
}

/* A pax header (pax(1), "pax Header Block"): records "LENGTH KEY=VALUE\n". */
static void read_pax(struct names *names, const uint8_t *data, size_t len)
{
	const char *p = (const char *)data, *end = p + len;

	while (p < end) {
		char *key;
		size_t record = strtoul(p, &key, 10);
		const char *value = memchr(key, '=', (size_t)(end - key));
		int chars;

		if (!record || !value || record > (size_t)(end - p))
			die("read", "a pax header");
		chars = (int)(p + record - 1 - (value + 1));
		if (!strncmp(key, " path=", 6))
			snprintf(names->path, NAME_SIZE, "%.*s", chars, value + 1);
		else if (!strncmp(key, " linkpath=", 10))
			snprintf(names->link, NAME_SIZE, "%.*s", chars, value + 1);
		p += record;
	}
}

/* A field of a ustar header: octal digits, or text that may fill it. */
static unsigned long number_at(const uint8_t *header, int offset)
{
	return strtoul((const char *)header + offset, NULL, 8);
}

static void take_names(struct names *names, const uint8_t *header)
{
	const char *name = (const char *)header, *prefix = name + 345;

	if (!names->path[0])
		snprintf(names->path, NAME_SIZE, "%.155s%s%.100s", prefix, prefix[0] ? "/" : "",
			 name);
	if (!names->link[0])
		snprintf(names->link, NAME_SIZE, "%.100s", name + 157);
}

static void put_file(int root, const char *path, const uint8_t *header, size_t size)
{
	const struct timespec mtime = { .tv_sec = (time_t)number_at(header, 136) };
	const struct timespec times[2] = { mtime, mtime };
	int fd = openat(root, path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);

	if (fd < 0 || (size && write(fd, header + BLOCK, size) != (ssize_t)size) ||
	    fchown(fd, (uid_t)number_at(header, 108), (gid_t)number_at(header, 116)) < 0 ||
	    fchmod(fd, (mode_t)number_at(header, 100)) < 0 || futimens(fd, times) < 0)
		die("make", path);
	close(fd);
}

/* Return: whether it was made; whiteouts and devices are not */
static bool put_entry(int root, const struct names *names, const uint8_t *header, size_t size)
{
	const char *path = names->path, *last = strrchr(path, '/');
	int r = 0;

	if (!strncmp(last ? last + 1 : path, ".wh.", 4))
		return false;
	switch (header[156]) {
	case '0':
		put_file(root, path, header, size);
		break;
	case '1':
		r = linkat(root, names->link, root, path, 0);
		break;
	case '2':
		r = symlinkat(names->link, root, path);
		break;
	case '5':
		r = mkdirat(root, path, 0755);
		if (r == 0)
			r = fchmodat(root, path, (mode_t)number_at(header, 100), 0);
		break;
	default:
		return false;
	}
	if (r < 0)
		die("make", path);
	return true;
}

static size_t put_files(const struct blob *blob, int root)
{
	struct names names = { .path = "" };
	size_t made = 0;

	for (size_t at = 0; at + BLOCK <= blob->tar_len && blob->tar[at];) {
		const uint8_t *header = blob->tar + at;
		size_t size = number_at(header, 124);

		if (header[156] == 'x') {
			read_pax(&names, header + BLOCK, size);
		} else {
			take_names(&names, header);
			made += put_entry(root, &names, header, size);
			names = (struct names){ .path = "" };
		}
		at += BLOCK + (size + BLOCK - 1) / BLOCK * BLOCK;
	}
	return made;
}

static int layer_dir(int dirfd, int number)
{
	char name[16];
	int fd;

	snprintf(name, sizeof(name), "%d", number);
	if (mkdirat(dirfd, name, 0755) < 0)
		die("make", name);
	fd = openat(dirfd, name, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		die("open", name);
	return fd;
}

static void print(const char *step, double since, size_t amount)
{
	printf("%s\t%.4f\t%zu\n", step, now_ms() - since, amount);
}

int main(int argc, char **argv)
{
	static struct blob blobs[MAX_BLOBS];
	int n = argc - 2, dirfd = argc > 1 ? open(argv[1], O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	size_t total = 0;
	double since;

	if (n < 1 || n > MAX_BLOBS || dirfd < 0)
		die("usage: sb_steps DIR BLOB..., not", argc > 1 ? argv[1] : "");
	umask(0);
	for (int i = 0; i < n; i++)
		read_blob(&blobs[i], argv[i + 2]);
	hash(blobs[n - 1].gz, 1); /* OpenSSL sets itself up at the first use */
	since = now_ms();
	for (int i = 0; i < n; total += blobs[i++].gz_len)
		hash(blobs[i].gz, blobs[i].gz_len);
	print("sha256 of the compressed layers", since, total);
	total = 0;
	since = now_ms();
	for (int i = 0; i < n; i++)
		total += inflate_away(&blobs[i]);
	print("inflate", since, total);
	for (int i = 0; i < n; i++)
		inflate_into_memory(&blobs[i]);
	since = now_ms();
	for (int i = 0; i < n; i++)
		hash(blobs[i].tar, blobs[i].tar_len);
	print("sha256 of the tars", since, total);
	total = 0;
	since = now_ms();
	for (int i = 0; i < n; i++)
		total += put_files(&blobs[i], layer_dir(dirfd, i));
	print("files", since, total);
	since = now_ms();
	if (syncfs(dirfd) < 0)
		die("sync", argv[1]);
	print("syncfs", since, 0);
	return fflush(stdout) == EOF ? 2 : 0;
}
