/* SPDX-License-Identifier: Apache-2.0 */
/* test_image_collect.c - what nothing keeps goes, all else stays */
#include "images/collect.h"

#include "tests/unit/unit.h"

#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#include "images/image.h"
#include "images/manage.h"
#include "images/resolve.h"
#include "images/roots.h"
#include "images/store.h"
#include "images/usage.h"
#include "runtime/base/err.h"

/* A store; digests in it are one digit 64 times: only root writes there, so nobody verifies them.
 */
struct fixture {
	char path[32];
	int store;
	struct sb_collected c;
	struct sb_image_changes changes;
	struct sb_err err;
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	f->store = unit_tmpdir(f->path);
	assert_int_equal(sb_store_create(f->store, &f->err), 0);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	sb_image_changes_done(&f->changes);
	close(f->store);
	assert_int_equal(sb_remove_tree_at(AT_FDCWD, f->path), 0);
	free(f);
	return 0;
}

/* "sha256:ddd…" with the digit @d; @separator ':' or '-'. */
static const char *digest(char d, char separator)
{
	static char ring[8][SB_DIGEST_SIZE];
	static unsigned int next;
	char *s = ring[next++ % 8];

	memset(s, d, SB_DIGEST_LEN);
	memcpy(s, "sha256", 6);
	s[6] = separator;
	s[SB_DIGEST_LEN] = '\0';
	return s;
}

static void put(struct fixture *f, const char *where, const char *name, const char *text)
{
	char path[400];

	snprintf(path, sizeof(path), "%s/%s", where, name);
	(void)unlinkat(f->store, path, 0);
	unit_write(f->store, path, text);
}

static void put_dir(struct fixture *f, const char *path)
{
	assert_int_equal(mkdirat(f->store, path, 0700), 0);
}

/* A layer of @bytes as recorded, with a file in it. */
static void put_layer(struct fixture *f, char d, int bytes)
{
	char path[200], record[128];

	snprintf(path, sizeof(path), "layers/%s", digest(d, '-'));
	put_dir(f, path);
	put(f, path, "file", "x");
	snprintf(path, sizeof(path), "%s.json", digest(d, '-'));
	snprintf(record, sizeof(record), "{\"tarBytes\":1,\"fileBytes\":%d,\"entries\":1}", bytes);
	put(f, "layers", path, record);
	snprintf(path, sizeof(path), "%s.split", digest(d, '-'));
	put(f, "layers", path, "split");
}

/* Manifest @d with configuration @config and the layers @layers. */
static void put_image(struct fixture *f, char d, char config, const char *layers)
{
	char text[1000], ids[500] = "";

	snprintf(text, sizeof(text),
		 "{\"schemaVersion\":2,\"config\":{\"digest\":\"%s\",\"size\":1},\"layers\":[]}",
		 digest(config, ':'));
	put(f, "blobs", digest(d, '-'), text);
	for (const char *l = layers; *l; l++)
		snprintf(ids + strlen(ids), sizeof(ids) - strlen(ids), "%s\"%s\"",
			 l == layers ? "" : ",", digest(*l, ':'));
	snprintf(text, sizeof(text), "{\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[%s]}}", ids);
	put(f, "blobs", digest(config, '-'), text);
}

static void put_ref(struct fixture *f, const char *name, char d)
{
	char file[200], text[100];

	snprintf(file, sizeof(file), "docker.io%%2Flibrary%%2F%s", name);
	snprintf(text, sizeof(text), "%s\n", digest(d, ':'));
	put(f, "refs", file, text);
}

static void put_sandbox(struct fixture *f, const char *home, const char *id, char d)
{
	char path[200];

	(void)mkdirat(f->store, home, 0700);
	snprintf(path, sizeof(path), "%s/%s", home, id);
	put_dir(f, path);
	snprintf(path, sizeof(path), "%s/%s/image", home, id);
	assert_int_equal(symlinkat(digest(d, '-'), f->store, path), 0);
}

static bool there(const struct fixture *f, const char *path)
{
	return faccessat(f->store, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

/* Whether a layer is there with all that belongs to it; it must not be there in part. */
static bool layer_there(const struct fixture *f, char d)
{
	static const char *const suffixes[] = { "", ".json", ".split" };
	char path[200];
	int n = 0;

	for (int i = 0; i < 3; i++) {
		snprintf(path, sizeof(path), "layers/%s%s", digest(d, '-'), suffixes[i]);
		n += there(f, path);
	}
	assert_true(n == 0 || n == 3);
	return n == 3;
}

static bool blob_there(const struct fixture *f, char d)
{
	char path[200];

	snprintf(path, sizeof(path), "blobs/%s", digest(d, '-'));
	return there(f, path);
}

static int collect(struct fixture *f, bool all_partials)
{
	const struct sb_collection how = { .store_dirfd = f->store, .all_partials = all_partials };

	return sb_collect(&how, &f->c, &f->err);
}

static int remove_image(struct fixture *f, const char *image, bool force)
{
	sb_image_changes_done(&f->changes);
	return sb_image_remove(f->store, image, force, &f->changes, &f->err);
}

/* Two images, a:latest of the layers 1 and 2, b:latest of 1 and 3; layer 4 and two blobs are waste.
 */
static void fill(struct fixture *f)
{
	for (char d = '1'; d <= '4'; d++)
		put_layer(f, d, 1000 * (d - '0'));
	put_image(f, 'a', 'c', "12");
	put_image(f, 'b', 'd', "13");
	put_image(f, 'e', 'f', "14");
	put_ref(f, "a:latest", 'a');
	put_ref(f, "b:latest", 'b');
}

static void what_references_reach_stays(void **state)
{
	struct fixture *f = *state;

	fill(f);
	assert_int_equal(collect(f, false), 0);
	assert_int_equal(f->c.layers.n, 1);
	assert_int_equal(f->c.layers.bytes, 4000);
	assert_int_equal(f->c.blobs.n, 2);
	assert_true(layer_there(f, '1') && layer_there(f, '2') && layer_there(f, '3'));
	assert_true(blob_there(f, 'a') && blob_there(f, 'b') && blob_there(f, 'c') &&
		    blob_there(f, 'd'));
	assert_false(layer_there(f, '4') || blob_there(f, 'e') || blob_there(f, 'f'));
	/* And nothing more the second time. */
	assert_int_equal(collect(f, false), 0);
	assert_int_equal(f->c.layers.n + f->c.blobs.n, 0);
}

static void what_a_sandbox_was_made_of_stays(void **state)
{
	struct fixture *f = *state;

	fill(f);
	put_sandbox(f, "sandboxes", "0123456789abcdef", 'e');
	put_dir(f, "sandboxes/1111111111111111"); /* killed while it was made */
	assert_int_equal(collect(f, true), 0);
	assert_true(layer_there(f, '4') && blob_there(f, 'e') && blob_there(f, 'f'));
	/* Of another home that shares the store, too; not of one whose files are being deleted. */
	assert_int_equal(renameat(f->store, "sandboxes", f->store, "sandboxes-12345678"), 0);
	assert_int_equal(collect(f, true), 0);
	assert_true(layer_there(f, '4'));
	assert_int_equal(renameat(f->store, "sandboxes-12345678/0123456789abcdef", f->store,
				  "sandboxes-12345678/.gone-0123456789abcdef"),
			 0);
	assert_int_equal(collect(f, true), 0);
	assert_false(layer_there(f, '4'));
}

/* Nothing may go while it is unknown what an image needs. */
static void refuses_with(struct fixture *f, const char *words)
{
	assert_int_equal(collect(f, true), -EPROTO);
	assert_non_null(strstr(f->err.msg, words));
	assert_true(layer_there(f, '4') && blob_there(f, 'e') && blob_there(f, 'f'));
}

static void an_image_that_cannot_be_read_stops_the_sweep(void **state)
{
	struct fixture *f = *state;

	fill(f);
	put(f, "blobs", digest('b', '-'), "{");
	refuses_with(f, "library/b:latest");
	put(f, "blobs", digest('b', '-'), "{\"config\":{\"digest\":\"sha256:x\"}}");
	refuses_with(f, "library/b:latest");
	put_image(f, 'b', 'd', "13");
	put(f, "blobs", digest('d', '-'), "{\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[1]}}");
	refuses_with(f, "library/b:latest");
	assert_int_equal(unlinkat(f->store,
				  "blobs/sha256-"
				  "dddddddddddddddddddddddddddddddddddddddddddddddddddd"
				  "dddddddddddd",
				  0),
			 0);
	refuses_with(f, "lost its configuration");
	put_image(f, 'b', 'd', "13");
	put_sandbox(f, "sandboxes", "0123456789abcdef", '9');
	refuses_with(f, "sandbox '0123456789abcdef'");
	assert_int_equal(sb_remove_tree_at(f->store, "sandboxes"), 0);
	put(f, "refs", "docker.io%2Flibrary%2Fbroken:1", "no digest\n");
	refuses_with(f, "broken:1");
	/* The way out. */
	assert_int_equal(remove_image(f, "broken:1", false), 0);
	assert_int_equal(f->changes.untagged.n, 1);
	assert_false(layer_there(f, '4'));
}

static void a_name_can_be_removed_though_its_image_cannot_be_read(void **state)
{
	struct fixture *f = *state;

	fill(f);
	put(f, "blobs", digest('b', '-'), "{");
	/* The other one: its name goes, files stay. */
	assert_int_equal(remove_image(f, "a", false), -EPROTO);
	assert_int_equal(f->changes.untagged.n, 1);
	assert_true(layer_there(f, '2'));
	assert_int_equal(remove_image(f, "b", false), 0);
	assert_int_equal(f->changes.deleted.n, 1);
	assert_string_equal(f->changes.deleted.v[0], digest('b', ':'));
	for (char d = '1'; d <= '4'; d++)
		assert_false(layer_there(f, d));
}

static void partial_downloads_go_unless_somebody_works_on_them(void **state)
{
	struct fixture *f = *state;
	const struct timespec old[2] = { { .tv_sec = time(NULL) - 25 * 60 * 60 },
					 { .tv_sec = time(NULL) - 25 * 60 * 60 } };
	int fd;

	put(f, "partial", "old", "abc");
	put(f, "partial", "held", "abc");
	put(f, "partial", "new", "abc");
	assert_int_equal(utimensat(f->store, "partial/old", old, 0), 0);
	assert_int_equal(utimensat(f->store, "partial/held", old, 0), 0);
	fd = openat(f->store, "partial/held", O_RDWR | O_CLOEXEC);
	assert_int_equal(flock(fd, LOCK_EX), 0);
	assert_int_equal(collect(f, false), 0);
	assert_int_equal(f->c.partials.n, 1);
	assert_false(there(f, "partial/old"));
	assert_true(there(f, "partial/new") && there(f, "partial/held"));
	assert_int_equal(collect(f, true), 0);
	assert_false(there(f, "partial/new"));
	assert_true(there(f, "partial/held"));
	close(fd);
	assert_int_equal(collect(f, true), 0);
	assert_false(there(f, "partial/held"));
}

static void what_killed_commands_left_goes(void **state)
{
	struct fixture *f = *state;
	int living;

	fill(f);
	put_dir(f, "tmp/load-1-0");
	put(f, "tmp/load-1-0", "file", "x");
	put_dir(f, "tmp/load-2-0");
	put(f, "refs", ".new-123", "");
	living = openat(f->store, "tmp/load-2-0", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(flock(living, LOCK_EX), 0);
	assert_int_equal(collect(f, false), 0);
	assert_int_equal(f->c.stages.n, 1);
	assert_false(there(f, "tmp/load-1-0") || there(f, "refs/.new-123"));
	assert_true(there(f, "tmp/load-2-0"));
	close(living);
}

static void records_without_a_layer_go_and_strange_names_stay(void **state)
{
	struct fixture *f = *state;

	fill(f);
	assert_int_equal(sb_remove_tree_at(f->store,
					   "layers/sha256-44444444444444444444444444444444"
					   "44444444444444444444444444444444"),
			 0);
	put(f, "layers", "notes", "");
	put(f, "blobs", "sha256-short", "");
	assert_int_equal(collect(f, false), 0);
	assert_false(layer_there(f, '4'));
	assert_true(there(f, "layers/notes") && there(f, "blobs/sha256-short"));
}

static void a_dry_run_counts_and_changes_nothing(void **state)
{
	struct fixture *f = *state;
	const struct sb_collection how = { .store_dirfd = f->store,
					   .dry = true,
					   .all_partials = true };

	fill(f);
	put(f, "partial", "new", "abc");
	put_dir(f, "tmp/load-1-0");
	assert_int_equal(sb_collect(&how, &f->c, &f->err), 0);
	assert_int_equal(f->c.layers.n, 1);
	assert_int_equal(f->c.layers.bytes, 4000);
	assert_int_equal(f->c.blobs.n, 2);
	assert_int_equal(f->c.partials.n, 1);
	assert_int_equal(f->c.stages.n, 1);
	assert_true(layer_there(f, '4') && there(f, "partial/new") && there(f, "tmp/load-1-0"));
}

static void a_store_without_images_is_left_alone(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(unlinkat(f->store, "tmp", AT_REMOVEDIR), 0);
	assert_int_equal(collect(f, true), 0);
	assert_false(there(f, "tmp") || there(f, "lock"));
}

/* In a process of its own; returns its exit status. */
static int in_child(struct fixture *f, int (*fn)(struct fixture *f))
{
	pid_t pid = fork();
	int status = 0;

	if (pid == 0)
		_exit(fn(f));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static int open_and_die(struct fixture *f)
{
	struct sb_image image = SB_IMAGE_INIT;

	if (sb_image_open(f->store, "a", &image, &f->err) < 0)
		return 1;
	(void)raise(SIGKILL);
	return 2;
}

static void an_open_image_holds_the_store_until_it_is_unlocked(void **state)
{
	struct fixture *f = *state;
	struct sb_image image = SB_IMAGE_INIT;
	int fd = openat(f->store, "lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	fill(f);
	assert_int_equal(sb_image_open(f->store, "a", &image, &f->err), 0);
	assert_int_equal(flock(fd, LOCK_EX | LOCK_NB), -1);
	sb_image_unlock(&image);
	assert_int_equal(flock(fd, LOCK_EX | LOCK_NB), 0);
	assert_int_equal(flock(fd, LOCK_UN), 0);
	sb_image_done(&image);
	/* One that is not found holds nothing, and neither does who was killed. */
	assert_int_equal(sb_image_open(f->store, "nosuch", &image, &f->err), -ENOENT);
	assert_true(WIFSIGNALED(in_child(f, open_and_die)));
	assert_int_equal(flock(fd, LOCK_EX | LOCK_NB), 0);
	close(fd);
}

static void removing_the_last_name_removes_what_is_not_shared(void **state)
{
	struct fixture *f = *state;

	fill(f);
	assert_int_equal(sb_image_tag(f->store, "a", "again:1", &f->err), 0);
	assert_int_equal(remove_image(f, "a", false), 0);
	assert_int_equal(f->changes.untagged.n, 1);
	assert_int_equal(f->changes.deleted.n, 0);
	assert_true(layer_there(f, '1') && layer_there(f, '2'));
	assert_int_equal(remove_image(f, "again:1", false), 0);
	assert_int_equal(f->changes.deleted.n, 1);
	assert_true(layer_there(f, '1') && layer_there(f, '3'));
	assert_false(layer_there(f, '2') || blob_there(f, 'a') || blob_there(f, 'c'));
	assert_int_equal(remove_image(f, "again:1", false), -ENOENT);
}

static void a_digest_means_all_names_but_only_by_force(void **state)
{
	struct fixture *f = *state;

	fill(f);
	assert_int_equal(sb_image_tag(f->store, "a", "again:1", &f->err), 0);
	assert_int_equal(remove_image(f, "aaaa", false), -EBUSY);
	assert_int_equal(f->changes.untagged.n, 0);
	assert_int_equal(remove_image(f, digest('c', ':'), true), 0); /* docker's id */
	assert_int_equal(f->changes.untagged.n, 2);
	assert_false(layer_there(f, '2'));
	/* An image without a name goes by its digest. */
	put_layer(f, '4', 1);
	put_image(f, 'e', 'f', "14");
	assert_int_equal(remove_image(f, digest('e', ':'), false), 0);
	assert_false(layer_there(f, '4'));
}

static void an_image_in_use_loses_its_last_name_only_by_force(void **state)
{
	struct fixture *f = *state;

	fill(f);
	put_sandbox(f, "sandboxes", "0123456789abcdef", 'a');
	assert_int_equal(remove_image(f, "a", false), -EBUSY);
	assert_non_null(strstr(f->err.msg, "0123456789abcdef"));
	assert_non_null(strstr(f->err.hint, "0123456789abcdef"));
	assert_int_equal(remove_image(f, "a", true), 0);
	assert_int_equal(f->changes.untagged.n, 1);
	assert_int_equal(f->changes.deleted.n, 0);
	assert_true(layer_there(f, '1') && layer_there(f, '2'));
	assert_int_equal(remove_image(f, digest('a', ':'), true), -EBUSY);
	assert_int_equal(sb_remove_tree_at(f->store, "sandboxes"), 0);
	assert_int_equal(collect(f, false), 0);
	assert_false(layer_there(f, '2'));
}

static void prune_all_keeps_what_sandboxes_use(void **state)
{
	struct fixture *f = *state;

	fill(f);
	put_sandbox(f, "sandboxes", "0123456789abcdef", 'a');
	assert_int_equal(sb_images_prune(f->store, true, &f->changes, &f->err), 0);
	assert_int_equal(f->changes.untagged.n, 1);
	assert_string_equal(f->changes.untagged.v[0], "docker.io/library/b:latest");
	assert_int_equal(f->changes.deleted.n, 1);
	assert_int_equal(f->changes.collected.layers.n, 2);
	assert_true(layer_there(f, '1') && layer_there(f, '2'));
	assert_false(layer_there(f, '3') || layer_there(f, '4'));
}

static void a_reference_may_know_the_index_it_came_by(void **state)
{
	struct fixture *f = *state;
	char file[200], text[300];
	struct sb_resolved r;

	fill(f);
	put(f, "blobs", digest('7', '-'), "index");
	snprintf(file, sizeof(file), "docker.io%%2Flibrary%%2Fa@%s", digest('7', ':'));
	snprintf(text, sizeof(text), "%s\n%s\n", digest('a', ':'), digest('7', ':'));
	put(f, "refs", file, text);
	assert_int_equal(collect(f, false), 0);
	assert_true(blob_there(f, '7'));

	snprintf(text, sizeof(text), "a@%s", digest('7', ':'));
	assert_int_equal(sb_resolve(f->store, text, &r, &f->err), 0);
	assert_string_equal(r.digest, digest('a', ':'));
	assert_string_equal(r.index, digest('7', ':'));
	snprintf(text, sizeof(text), "docker.io/library/a@%s", digest('7', ':'));
	assert_string_equal(r.reference, text);
	/* With a tag the digest still wins; by itself, or under another name, it will do, too. */
	snprintf(text, sizeof(text), "a:1@%s", digest('7', ':'));
	assert_int_equal(sb_resolve(f->store, text, &r, &f->err), 0);
	assert_string_equal(r.digest, digest('a', ':'));
	assert_int_equal(sb_resolve(f->store, digest('7', ':'), &r, &f->err), 0);
	assert_string_equal(r.digest, digest('a', ':'));
	assert_string_equal(r.reference, "");
	snprintf(text, sizeof(text), "other@%s", digest('b', ':'));
	assert_int_equal(sb_resolve(f->store, text, &r, &f->err), 0);
	assert_string_equal(r.digest, digest('b', ':'));
	snprintf(text, sizeof(text), "a@%s", digest('6', ':'));
	assert_int_equal(sb_resolve(f->store, text, &r, &f->err), -ENOENT);
	/* The index goes along with a new name. */
	snprintf(text, sizeof(text), "a@%s", digest('7', ':'));
	assert_int_equal(sb_image_tag(f->store, text, "new", &f->err), 0);
	assert_int_equal(sb_resolve(f->store, "new", &r, &f->err), 0);
	assert_string_equal(r.index, digest('7', ':'));
}

static void what_can_be_no_name_is_an_id(void **state)
{
	char text[SB_DIGEST_SIZE + 1];

	(void)state;
	assert_true(sb_resolve_is_id(digest('7', ':')));
	assert_true(sb_resolve_is_id(digest('7', ':') + strlen("sha256:")));
	assert_true(sb_resolve_is_id("sha256:beef") && sb_resolve_is_id("sha256:20bb2d23263b"));
	assert_false(sb_resolve_is_id("beef") || sb_resolve_is_id("20bb2d23263b"));
	assert_false(sb_resolve_is_id("sha256:bee") || sb_resolve_is_id("sha256:"));
	assert_false(sb_resolve_is_id("sha256:BEEF") || sb_resolve_is_id("sha256:latest"));
	assert_false(sb_resolve_is_id("x@sha256:beef") || sb_resolve_is_id(""));
	snprintf(text, sizeof(text), "%s0", digest('7', ':'));
	assert_false(sb_resolve_is_id(text));
}

static void references_that_are_not_one_or_two_digests_are_broken(void **state)
{
	struct fixture *f = *state;
	char d[SB_DIGEST_SIZE], index[SB_DIGEST_SIZE], text[400];

	snprintf(text, sizeof(text), "%s\n%s\n", digest('1', ':'), digest('2', ':'));
	put(f, "refs", "x", text);
	assert_int_equal(sb_store_read_ref(f->store, "refs/x", d, index), 0);
	assert_string_equal(d, digest('1', ':'));
	assert_string_equal(index, digest('2', ':'));
	snprintf(text, sizeof(text), "%s", digest('1', ':'));
	put(f, "refs", "x", text);
	assert_int_equal(sb_store_read_ref(f->store, "refs/x", d, index), 0);
	assert_string_equal(index, "");
	snprintf(text, sizeof(text), "%s\n%s\nx", digest('1', ':'), digest('2', ':'));
	put(f, "refs", "x", text);
	assert_int_equal(sb_store_read_ref(f->store, "refs/x", d, index), -EPROTO);
	snprintf(text, sizeof(text), "%s\nx", digest('1', ':'));
	put(f, "refs", "x", text);
	assert_int_equal(sb_store_read_ref(f->store, "refs/x", d, index), -EPROTO);
	put(f, "refs", "x", "");
	assert_int_equal(sb_store_read_ref(f->store, "refs/x", d, index), -EPROTO);
}

static void sharing_is_accounted_once(void **state)
{
	struct fixture *f = *state;
	struct sb_image_list list = SB_IMAGE_LIST_INIT;
	struct sb_usage u;

	fill(f);
	put_ref(f, "a:again", 'a'); /* a second name shares nothing */
	put_sandbox(f, "sandboxes", "0123456789abcdef", 'a');
	put(f, "sandboxes/0123456789abcdef", "file", "x");
	assert_int_equal(sb_images_list(f->store, &list, &f->err), 0);
	assert_int_equal(list.n, 3);
	assert_string_equal(list.v[1].reference, "docker.io/library/a:latest");
	assert_int_equal(list.v[1].size_bytes, 3000);
	assert_int_equal(list.v[1].shared_bytes, 1000);
	sb_images_list_done(&list);

	assert_int_equal(sb_usage_read(f->store, &u, &f->err), 0);
	assert_int_equal(u.images.n, 2);
	assert_int_equal(u.images.bytes, 3000 + 4000);
	assert_int_equal(u.layers.n, 3);
	assert_int_equal(u.layers.bytes, 1000 + 2000 + 3000);
	assert_int_equal(u.prunable.layers.n, 2);
	assert_int_equal(u.prunable.layers.bytes, 3000 + 4000);
	assert_int_equal(u.garbage.layers.bytes, 4000);
	assert_int_equal(u.sandboxes.n, 1);
	assert_true(u.sandboxes.bytes > 0);
	sb_usage_done(&u);
}

#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(what_references_reach_stays),
		T(what_a_sandbox_was_made_of_stays),
		T(an_image_that_cannot_be_read_stops_the_sweep),
		T(a_name_can_be_removed_though_its_image_cannot_be_read),
		T(partial_downloads_go_unless_somebody_works_on_them),
		T(what_killed_commands_left_goes),
		T(records_without_a_layer_go_and_strange_names_stay),
		T(a_dry_run_counts_and_changes_nothing),
		T(a_store_without_images_is_left_alone),
		T(an_open_image_holds_the_store_until_it_is_unlocked),
		T(removing_the_last_name_removes_what_is_not_shared),
		T(a_digest_means_all_names_but_only_by_force),
		T(an_image_in_use_loses_its_last_name_only_by_force),
		T(prune_all_keeps_what_sandboxes_use),
		T(a_reference_may_know_the_index_it_came_by),
		T(what_can_be_no_name_is_an_id),
		T(references_that_are_not_one_or_two_digests_are_broken),
		T(sharing_is_accounted_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
