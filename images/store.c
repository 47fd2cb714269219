/* SPDX-License-Identifier: Apache-2.0 */
/* store.c - where unpacked images lie: names and layout of the store directory */
#include "images/store.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/json.h"

#define RECORD_MAX_BYTES 4096
#define TRIES            1000

/* How long a remover waits for its turn. Who makes a sandbox holds the lock for milliseconds. */
#define LOCK_WAIT_MS 10000
#define LOCK_STEP_MS 5

/**
 * sb_store_create() - Make the directories of a store that are missing
 * @store_dirfd:	the store, a directory of mode 0700 owned by root; borrowed
 *
 * Return: 0, or a negative errno value
 */
int sb_store_create(int store_dirfd, struct sb_err *err)
{
	static const char *const names[] = { SB_STORE_REFS, SB_STORE_BLOBS, SB_STORE_LAYERS,
					     SB_STORE_PARTIAL, SB_STORE_TMP };

	for (size_t i = 0; i < SB_ARRAY_SIZE(names); i++)
		if (mkdirat(store_dirfd, names[i], 0700) < 0 && errno != EEXIST)
			return sb_err_set(err, errno, "make directory '%s' in the store", names[i]);
	return 0;
}

/* Take an exclusive lock, but not at any price: flock(2) knows no time limit. */
static int lock_alone(int fd)
{
	const struct timespec step = { .tv_nsec = LOCK_STEP_MS * 1000000L };

	for (int i = 0; i < LOCK_WAIT_MS / LOCK_STEP_MS; i++) {
		if (flock(fd, LOCK_EX | LOCK_NB) == 0)
			return 0;
		if (errno != EWOULDBLOCK && errno != EINTR)
			return -errno;
		(void)nanosleep(&step, NULL);
	}
	return -EBUSY;
}

/**
 * sb_store_lock() - Keep those who remove from the store and those who rely on it apart
 * @store_dirfd:	the store; borrowed
 * @operation:	LOCK_SH: until a reference or a sandbox's link names what the caller relies on,
 *		nothing is removed. LOCK_EX: nobody else holds the lock; for milliseconds only, as
 *		new sandboxes wait meanwhile
 *
 * LOCK_SH is for who publishes layers (until the reference is there), who gives an image one more
 * name, who makes a sandbox of it, and who saves it, which reads one file after the other. Who else
 * only reads needs no lock. Taken before the lock of
 * runtime/sandbox/home.h, never while that one is held. The kernel drops it when the last copy of
 * the descriptor is closed, however its holders end.
 *
 * Return: a descriptor whose closing releases the lock, or a negative errno value (-EBUSY: images
 * are being loaded or sandboxes made all the time, LOCK_EX only)
 */
int sb_store_lock(int store_dirfd, int operation, struct sb_err *err)
{
	_cleanup_fd_ int fd =
		openat(store_dirfd, SB_STORE_LOCK, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	int r;

	if (fd < 0)
		return sb_err_set(err, errno, "open '%s' in the store", SB_STORE_LOCK);
	if (operation == LOCK_EX) {
		r = lock_alone(fd);
	} else {
		do
			r = flock(fd, operation) < 0 ? -errno : 0;
		while (r == -EINTR);
	}
	if (r == -EBUSY) {
		sb_err_refuse(err, EBUSY, "the store is in use by a load, a pull or a save");
		return sb_err_hint(err, "try again when that is done");
	}
	return r < 0 ? sb_err_set(err, -r, "lock the store") : sb_steal_fd(&fd);
}

/**
 * sb_store_ref_file_name() - The name in refs/ that stands for a reference
 * @ref:	reference
 * @ret_name:	room for SB_STORE_NAME_SIZE bytes
 *
 * The grammar of references leaves '/' as the only character that a file name can't have.
 *
 * Return: 0, or -ENAMETOOLONG
 */
int sb_store_ref_file_name(const struct sb_image_ref *ref, char *ret_name, struct sb_err *err)
{
	char text[SB_REFERENCE_SIZE];
	size_t n = 0;

	sb_reference_format(ref, text, sizeof(text));
	for (const char *p = text; *p; p++) {
		const char *piece = *p == '/' ? "%2F" : (char[2]){ *p, '\0' };

		if (n + strlen(piece) > NAME_MAX)
			return sb_err_set(err, ENAMETOOLONG, "store image reference '%.100s'",
					  text);
		n += (size_t)snprintf(ret_name + n, SB_STORE_NAME_SIZE - n, "%s", piece);
	}
	return 0;
}

/**
 * sb_store_ref_from_file_name() - The reference that a name in refs/ stands for
 * @name:	name of a directory entry
 * @ret:	written on success only
 *
 * Return: 0, or -EINVAL if it stands for none
 */
int sb_store_ref_from_file_name(const char *name, struct sb_image_ref *ret)
{
	struct sb_err ignored = SB_ERR_INIT;
	char text[SB_STORE_NAME_SIZE];
	size_t n = 0;

	while (*name && n + 1 < sizeof(text)) {
		bool slash = !strncmp(name, "%2F", 3);

		text[n++] = slash ? '/' : *name;
		name += slash ? 3 : 1;
	}
	text[n] = '\0';
	return sb_reference_parse(text, ret, &ignored);
}

/**
 * sb_store_read_ref() - Which manifest a reference stands for
 * @refs_dirfd:	refs/, or the store with @name including "refs/"; borrowed
 * @name:	file name
 * @ret_digest:	manifest digest, room for SB_DIGEST_SIZE bytes
 * @ret_index:	digest the registry gave for the name, likewise; empty if none is known. May be NULL
 *
 * Return: 0, or a negative errno value (-ENOENT: no such reference, -EPROTO: not one or two
 * digests)
 */
int sb_store_read_ref(int refs_dirfd, const char *name, char *ret_digest, char *ret_index)
{
	char text[2 * SB_DIGEST_SIZE + 2]; /* two lines, and a byte too many to see that */
	int n = sb_read_small_at(refs_dirfd, name, text, sizeof(text));
	char *second;

	if (n < 0)
		return n;
	second = strchr(text, '\n');
	if (second)
		*second++ = '\0';
	if (!sb_digest_is_valid(text) || (second && !sb_digest_is_valid(second)))
		return -EPROTO;
	memcpy(ret_digest, text, SB_DIGEST_SIZE);
	if (ret_index)
		snprintf(ret_index, SB_DIGEST_SIZE, "%s", second ? second : "");
	return 0;
}

/**
 * sb_store_write_ref() - Let a reference stand for an image, from now on and after a loss of power
 * @store_dirfd:	the store; borrowed
 * @name:	file name in refs/
 * @digest:	manifest digest
 * @index:	digest the registry gave for the name; empty if none is known
 *
 * The caller holds the store's lock (LOCK_SH), and the image is there. The file is on disk before
 * it gets its name: one that came back empty would stand for nothing.
 *
 * Return: 0, or a negative errno value with the old reference kept
 */
int sb_store_write_ref(int store_dirfd, const char *name, const char *digest, const char *index,
		       struct sb_err *err)
{
	_cleanup_fd_ int refs =
		openat(store_dirfd, SB_STORE_REFS, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_fd_ int fd = -1;
	char text[2 * SB_DIGEST_SIZE + 1], tmp[32];
	int n = snprintf(text, sizeof(text), "%s\n%s%s", digest, index, index[0] ? "\n" : "");
	int r;

	if (refs < 0)
		return sb_err_set(err, errno, "open '%s' in the store", SB_STORE_REFS);
	/* Readers pass over what begins with a dot. A pid may be another's too, in its namespace.
	 */
	for (int i = 0; i < TRIES && fd < 0 && (i == 0 || errno == EEXIST); i++) {
		snprintf(tmp, sizeof(tmp), ".new-%d-%d", getpid(), i);
		fd = openat(refs, tmp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	}
	if (fd < 0)
		return sb_err_set(err, errno, "create a reference in the store");
	r = sb_write_all(fd, text, (size_t)n);
	if (r < 0 || fsync(fd) < 0 || renameat(refs, tmp, refs, name) < 0 || fsync(refs) < 0) {
		(void)sb_err_set(err, r < 0 ? -r : errno, "write a reference to the store");
		(void)unlinkat(refs, tmp, 0);
		return -err->code;
	}
	return 0;
}

/**
 * sb_store_read_blob() - Read a manifest or a config from the store
 * @store_dirfd:	the store; borrowed
 * @digest:	valid digest
 * @max:	most bytes it may have
 * @ret:	content, the caller frees it
 * @ret_len:	its length
 *
 * The digest was verified when the blob was stored, and only root can write there: it is not
 * verified again.
 *
 * Return: 0, or a negative errno value (-ENOENT: not stored)
 */
int sb_store_read_blob(int store_dirfd, const char *digest, size_t max, char **ret, size_t *ret_len,
		       struct sb_err *err)
{
	char name[SB_DIGEST_SIZE];
	char path[sizeof(SB_STORE_BLOBS) + SB_DIGEST_SIZE];

	sb_digest_file_name(digest, name);
	snprintf(path, sizeof(path), SB_STORE_BLOBS "/%s", name);
	return sb_read_at(store_dirfd, path, max, ret, ret_len, err);
}

/**
 * sb_store_read_record() - What was remembered about a layer
 * @layers_dirfd:	layers/, or the store with @layer including "layers/"; borrowed
 * @layer:	name of its directory
 * @ret:	written on success only
 *
 * Return: 0, or a negative errno value (-ENOENT, -EPROTO)
 */
int sb_store_read_record(int layers_dirfd, const char *layer, struct sb_layer_record *ret,
			 struct sb_err *err)
{
	_cleanup_json_ json_t *j = NULL;
	char name[SB_STORE_NAME_SIZE];
	int64_t tar = 0, files = 0, entries = 0;

	snprintf(name, sizeof(name), "%s" SB_STORE_RECORD_SUFFIX, layer);
	if (sb_json_load_at(layers_dirfd, name, RECORD_MAX_BYTES, &j, err) < 0 ||
	    sb_json_get_int(j, "tarBytes", &tar, err) < 0 ||
	    sb_json_get_int(j, "fileBytes", &files, err) < 0 ||
	    sb_json_get_int(j, "entries", &entries, err) < 0)
		return -err->code;
	*ret = (struct sb_layer_record){ .tar_bytes = (uint64_t)tar,
					 .file_bytes = (uint64_t)files,
					 .entries = (uint64_t)entries };
	return 0;
}

/**
 * sb_store_write_record() - Remember sizes of a layer
 * @dirfd:	where to; borrowed
 * @layer:	name of its directory
 * @record:	what to remember
 *
 * Return: 0, or a negative errno value
 */
int sb_store_write_record(int dirfd, const char *layer, const struct sb_layer_record *record,
			  struct sb_err *err)
{
	char name[SB_STORE_NAME_SIZE], text[128];
	int n;

	snprintf(name, sizeof(name), "%s" SB_STORE_RECORD_SUFFIX, layer);
	n = snprintf(text, sizeof(text),
		     "{\"tarBytes\":%" PRIu64 ",\"fileBytes\":%" PRIu64 ",\"entries\":%" PRIu64
		     "}\n",
		     record->tar_bytes, record->file_bytes, record->entries);
	return sb_replace_at(dirfd, name, 0600, text, (size_t)n, err);
}
