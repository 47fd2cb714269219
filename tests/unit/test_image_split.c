/* SPDX-License-Identifier: Apache-2.0 */
/* test_image_split.c - a tar that was unpacked can be made again, byte by byte, or is refused */
#include "images/split.h"

#include "tests/unit/tarball.h"

#include <sys/stat.h>

#include <zstd.h>

#include "images/archive.h"
#include "images/hash.h"
#include "images/layer.h"
#include "images/source.h"
#include "images/store.h"
#include "images/tar.h"
#include "runtime/base/err.h"
#include "runtime/base/path.h"

#define LAYER "sha256-0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

/* A directory layers/ with one layer, and the tar that it comes from. */
struct fixture {
	char path[32];
	int layers;
	int layer;
	struct tarball tar;
	struct sb_err err;
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	f->layers = unit_tmpdir(f->path);
	assert_int_equal(mkdirat(f->layers, LAYER, 0700), 0);
	f->layer = openat(f->layers, LAYER, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(f->layer >= 0);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	close(f->layer);
	close(f->layers);
	assert_int_equal(sb_remove_tree_at(AT_FDCWD, f->path), 0);
	free(f->tar.data);
	free(f);
	return 0;
}

static void add(struct fixture *f, const char *name, const char *body)
{
	tarball_add(&f->tar, &(struct tarent){ .name = name, .body = body });
}

static void unpack(struct fixture *f, size_t piece)
{
	const struct sb_layer_limits limits = SB_LAYER_LIMITS_DEFAULT;
	int fd = openat(f->layers, LAYER SB_STORE_SPLIT_SUFFIX,
			O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	struct sb_layer_record record;
	struct sb_mem_source from;

	assert_true(fd >= 0);
	sb_source_from_memory(&from, f->tar.data, f->tar.len, piece);
	if (sb_layer_unpack(&(struct sb_layer_job){ .dirfd = f->layer,
						    .tar = &from.base,
						    .limits = &limits,
						    .split_fd = fd },
			    &record, &f->err) < 0)
		fail_msg("%s", f->err.msg);
	close(fd);
}

/* A sink that gathers. */
struct gather {
	struct sb_split_sink base;
	struct tarball got;
};

static int gather(struct sb_split_sink *base, const void *data, size_t len, struct sb_err *err)
{
	(void)err;
	tarball_raw(&((struct gather *)base)->got, data, len);
	return 0;
}

static int replay(struct fixture *f, struct tarball *ret)
{
	struct gather g = { .base.write = gather };
	char digest[SB_DIGEST_SIZE] = "", again[SB_DIGEST_SIZE];
	int fd = sb_split_open(f->layers, LAYER, &f->err);
	int r = fd;

	if (fd >= 0) {
		r = sb_split_replay(fd, f->layer, &g.base, digest, &f->err);
		close(fd);
	}
	if (r == 0) {
		assert_int_equal(sb_hash_buffer(g.got.data, g.got.len, again, &f->err), 0);
		assert_string_equal(digest, again);
	}
	*ret = g.got;
	return r;
}

static void expect_same(struct fixture *f)
{
	struct tarball got;

	if (replay(f, &got) < 0)
		fail_msg("%s", f->err.msg);
	assert_int_equal(got.len, f->tar.len);
	assert_memory_equal(got.data, f->tar.data, got.len);
	free(got.data);
}

static void expect_refused(struct fixture *f, int code, const char *word)
{
	struct tarball got;

	assert_int_equal(replay(f, &got), -code);
	if (!strstr(f->err.msg, word))
		fail_msg("'%s' instead of '%s'", f->err.msg, word);
	free(got.data);
}

/* Everything that a tar can have, and what readers pass over. */
static void fill(struct fixture *f)
{
	static const char *const sparse[] = {
		"GNU.sparse.size",   "9000000", "GNU.sparse.numblocks", "2", "GNU.sparse.map",
		"4096,600,8192,424", NULL
	};
	struct tarball *t = &f->tar;
	char *big = malloc(600000), name[200];

	assert_non_null(big);
	for (size_t i = 0; i < 600000; i++)
		big[i] = (char)(i * 7919 >> 5);
	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	tarball_pax(t, 'g', "comment", "a commit", 8);
	tarball_add(t, &(struct tarent){ .name = "./", .type = '5', .mode = 0755 });
	tarball_add(t, &(struct tarent){ .name = "big", .body = big, .body_len = 600000 });
	add(f, "empty", NULL);
	add(f, ".//d/./small", "text");
	tarball_pax_str(t, "path", name);
	tarball_pax_str(t, "SCHILY.xattr.trusted.gone", "x");
	add(f, "short", "long name");
	tarball_add(t, &(struct tarent){ .name = "h", .type = '1', .link = "big" });
	tarball_add(t, &(struct tarent){ .name = "l", .type = '2', .link = "big" });
	add(f, "d/.wh.lower", NULL);
	add(f, "d/.wh.with-content", "passed over");
	add(f, ".wh..wh.plnk/1.2", "passed over too");
	tarball_pax_list(t, sparse);
	tarball_add(t, &(struct tarent){ .name = "sparse", .body = big, .body_len = 1024 });
	free(big);
	tarball_end(t);
	tarball_zeros(t, 8192);
	tarball_raw(t, "something behind the end", 24);
}

static void a_tar_is_made_again_whatever_it_has(void **state)
{
	struct fixture *f = *state;

	fill(f);
	unpack(f, 70000);
	expect_same(f);
}

static void pieces_do_not_matter(void **state)
{
	static const size_t pieces[] = { 1, 511, 512, 513, 4096, 1 << 20 };
	struct fixture *f = *state;

	fill(f);
	for (size_t i = 0; i < sizeof(pieces) / sizeof(*pieces); i++) {
		close(f->layer);
		assert_int_equal(sb_remove_tree_at(f->layers, LAYER), 0);
		assert_int_equal(mkdirat(f->layers, LAYER, 0700), 0);
		f->layer = openat(f->layers, LAYER, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		unpack(f, pieces[i]);
		expect_same(f);
	}
}

static void an_empty_layer_is_made_again(void **state)
{
	struct fixture *f = *state;

	unpack(f, 512);
	expect_same(f);
	tarball_end(&f->tar);
	unpack(f, 512);
	expect_same(f);
}

static void more_headers_than_the_buffer_holds(void **state)
{
	struct fixture *f = *state;
	char name[32];

	for (int i = 0; i < 1000; i++) {
		snprintf(name, sizeof(name), "file-%d", i);
		add(f, name, i % 3 ? name : NULL);
	}
	tarball_end(&f->tar);
	unpack(f, 100000);
	expect_same(f);
}

static void content_that_was_replaced_is_refused_by_name(void **state)
{
	struct fixture *f = *state;

	add(f, "f", "first");
	add(f, "f", "second");
	unpack(f, 512);
	expect_refused(f, EPROTO, "its tar has 'f' more than once");
}

static void a_directory_that_was_replaced_may_have_had_content(void **state)
{
	struct fixture *f = *state;

	add(f, "d/f", "first");
	tarball_add(&f->tar, &(struct tarent){ .name = "d", .type = '2', .link = "x" });
	unpack(f, 512);
	expect_refused(f, EPROTO, "its tar has 'd' more than once");
}

static void replacing_what_has_no_content_does_no_harm(void **state)
{
	struct fixture *f = *state;

	add(f, "f", NULL);
	add(f, "f", "text");
	tarball_add(&f->tar, &(struct tarent){ .name = "l", .type = '2', .link = "x" });
	tarball_add(&f->tar, &(struct tarent){ .name = "l", .type = '2', .link = "y" });
	tarball_add(&f->tar, &(struct tarent){ .name = "d", .type = '5', .mode = 0700 });
	tarball_add(&f->tar, &(struct tarent){ .name = "d", .type = '5', .mode = 0755 });
	add(f, ".wh.w", NULL);
	add(f, "w", "text");
	tarball_end(&f->tar);
	unpack(f, 512);
	expect_same(f);
}

static void a_layer_without_a_record_is_refused_with_a_hint(void **state)
{
	struct fixture *f = *state;

	expect_refused(f, ENOENT, "no record");
	assert_non_null(strstr(f->err.hint, "load or pull it again"));
}

/* Compress @len bytes as the record of the layer. */
static void put_record(struct fixture *f, const void *data, size_t len)
{
	char out[8192];
	size_t n = ZSTD_compress(out, sizeof(out), data, len, 1);
	int fd = openat(f->layers, LAYER SB_STORE_SPLIT_SUFFIX,
			O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_false(ZSTD_isError(n));
	assert_int_equal(write(fd, out, n), n);
	close(fd);
}

static void broken_records_are_refused(void **state)
{
	static const struct {
		const char *bytes;
		size_t len;
		int code;
		const char *word;
	} rows[] = {
#define ROW(bytes, code, word) { "sbrun-split 1\n" bytes, sizeof(bytes) + 13, code, word }
		{ "", 0, EPROTO, "broken" },
		{ "sbrun-split 2\n", 14, EPROTO, "broken" },
		ROW("X", EPROTO, "broken"),
		ROW("R\1\0", EPROTO, "broken"),
		ROW("R\1\0\0\0", EPROTO, "broken"),
		ROW("R\xff\xff\xff\xffxxx", EPROTO, "broken"),
		ROW("C\0\0\0\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0", EPROTO, "broken"), /* no file yet */
		ROW("C\xff\xff", EPROTO, "broken"),
		ROW("C\1\0f\0\0\0\0\0\0\0\x80\1\0\0\0\0\0\0\0", EPROTO, "broken"),
		ROW("C\1\0f\0\0\0\0\0\0\0\0\5\0\0\0\0\0\0\0", EPROTO, "ends too early"),
		ROW("C\1\0g\0\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0", ENOENT, "'g'"),
		ROW("C\1\0l\0\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0", ELOOP, "'l'"),
		ROW("C\1\0d\0\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0", EPROTO, "not a regular file"),
		ROW("C\3\0l/f\0\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0", ELOOP, "'l/f'"),
		ROW("C\4\0../f\0\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0", EXDEV, "'../f'"),
	};
	struct fixture *f = *state;

	unit_write(f->layer, "f", "text");
	unit_write(f->layers, "f", "outside");
	assert_int_equal(symlinkat("f", f->layer, "l"), 0);
	assert_int_equal(mkdirat(f->layer, "d", 0700), 0);
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		put_record(f, rows[i].bytes, rows[i].len);
		expect_refused(f, rows[i].code, rows[i].word);
	}
	/* Not compressed at all. */
	assert_int_equal(unlinkat(f->layers, LAYER SB_STORE_SPLIT_SUFFIX, 0), 0);
	unit_write(f->layers, LAYER SB_STORE_SPLIT_SUFFIX, "text");
	expect_refused(f, EPROTO, "zstd");
}

static void a_record_cut_short_is_refused(void **state)
{
	struct fixture *f = *state;
	struct stat st;

	fill(f);
	unpack(f, 4096);
	assert_int_equal(fstatat(f->layers, LAYER SB_STORE_SPLIT_SUFFIX, &st, 0), 0);
	{
		int fd = openat(f->layers, LAYER SB_STORE_SPLIT_SUFFIX, O_WRONLY | O_CLOEXEC);

		assert_int_equal(ftruncate(fd, st.st_size - 1), 0);
		close(fd);
	}
	expect_refused(f, EPROTO, "too early");
}

/* What an archive holds can be read again; sizes that octal digits can't tell included. */
static void archives_can_be_read(void **state)
{
	const struct sb_layer_limits limits = SB_LAYER_LIMITS_DEFAULT;
	struct fixture *f = *state;
	int fd = openat(f->layers, "archive", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	uint64_t huge = UINT64_C(9) << 30;
	struct sb_archive a;
	struct sb_file_source from;
	const struct sb_tar_entry *e;
	struct sb_tar *tar;
	uint8_t buf[512];

	assert_int_equal(sb_archive_init(&a, fd, &f->err), 0);
	assert_int_equal(sb_archive_put(&a, "a/b", "text", 4, &f->err), 0);
	assert_int_equal(sb_archive_begin(&a, "c", 2, &f->err), 0);
	assert_int_equal(sb_archive_write(&a, "123", 3, &f->err), -EPROTO);
	assert_int_equal(sb_archive_end(&a, &f->err), -EPROTO);
	assert_int_equal(sb_archive_write(&a, "12", 2, &f->err), 0);
	assert_int_equal(sb_archive_end(&a, &f->err), 0);
	assert_int_equal(a.total, 4 * 512);
	assert_int_equal(sb_archive_begin(&a, "huge", huge, &f->err), 0);
	a.left = 0; /* its content is not needed */
	assert_int_equal(sb_archive_finish(&a, &f->err), 0);
	sb_archive_done(&a);

	sb_source_from_file(&from, fd, 0, SB_SOURCE_TO_END);
	from.buf = buf;
	from.buf_size = sizeof(buf);
	tar = sb_tar_new(&from.base, &limits, &f->err);
	assert_int_equal(sb_tar_next(tar, &e, &f->err), 1);
	assert_string_equal(e->path, "a/b");
	assert_int_equal(e->size, 4);
	assert_int_equal(e->mode, 0444);
	assert_int_equal(sb_tar_next(tar, &e, &f->err), 1);
	assert_int_equal(e->size, 2);
	assert_int_equal(sb_tar_next(tar, &e, &f->err), 1);
	assert_true(e->size == huge);
	sb_tar_free(tar);
	close(fd);
}

int main(void)
{
#define SPLIT_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		SPLIT_TEST(a_tar_is_made_again_whatever_it_has),
		SPLIT_TEST(pieces_do_not_matter),
		SPLIT_TEST(an_empty_layer_is_made_again),
		SPLIT_TEST(more_headers_than_the_buffer_holds),
		SPLIT_TEST(content_that_was_replaced_is_refused_by_name),
		SPLIT_TEST(a_directory_that_was_replaced_may_have_had_content),
		SPLIT_TEST(replacing_what_has_no_content_does_no_harm),
		SPLIT_TEST(a_layer_without_a_record_is_refused_with_a_hint),
		SPLIT_TEST(broken_records_are_refused),
		SPLIT_TEST(a_record_cut_short_is_refused),
		SPLIT_TEST(archives_can_be_read),
	};

	unit_need_root();
	umask(0);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
