/* SPDX-License-Identifier: Apache-2.0 */
/* test_image_tar.c - tars are read as everybody reads them, and hostile ones not at all */
#include "images/tar.h"

#include "tests/unit/tarball.h"

#include "images/source.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/err.h"

static const struct sb_layer_limits limits = SB_LAYER_LIMITS_DEFAULT;

/* A reader over a tarball that hands out pieces of @piece bytes. */
struct reading {
	struct sb_mem_source from;
	struct sb_tar *tar;
	struct sb_err err;
	const struct sb_tar_entry *e;
};

static void start(struct reading *r, const struct tarball *t, size_t piece)
{
	*r = (struct reading){ .tar = NULL };
	sb_source_from_memory(&r->from, t->data, t->len, piece);
	r->tar = sb_tar_new(&r->from.base, &limits, &r->err);
	assert_non_null(r->tar);
}

/* Step to the next entry, which there must be. */
static const struct sb_tar_entry *step(struct reading *r)
{
	if (sb_tar_next(r->tar, &r->e, &r->err) != 1)
		fail_msg("no entry: %s", r->err.msg);
	return r->e;
}

static void finish(struct reading *r, struct tarball *t)
{
	sb_tar_free(r->tar);
	free(t->data);
	*t = (struct tarball){ .len = 0 };
}

/* Read @t to its end and free it. Returns the result of the last call; the message is in @err. */
static int read_all(struct tarball *t, struct sb_err *err)
{
	struct reading r;
	int ret;

	start(&r, t, 100);
	while ((ret = sb_tar_next(r.tar, &r.e, &r.err)) > 0)
		;
	if (ret == 0)
		ret = sb_tar_drain(r.tar, &r.err);
	*err = r.err;
	finish(&r, t);
	return ret;
}

static void expect_refused(struct tarball *t, const char *word)
{
	struct sb_err err;
	int r = read_all(t, &err);

	if (r != -EPROTO)
		fail_msg("result %d instead of a refusal with '%s'", r, word);
	if (!strstr(err.msg, word))
		fail_msg("'%s' instead of '%s'", err.msg, word);
}

/* Of the configuration, raised by @key. */
static void expect_limit(struct tarball *t, const char *word, const char *key)
{
	struct sb_err err;

	assert_int_equal(read_all(t, &err), -EPROTO);
	if (!strstr(err.msg, word) || strncmp(err.hint, "limits.", 7) != 0 ||
	    strncmp(err.hint + 7, key, strlen(key)) != 0)
		fail_msg("'%s' (%s) instead of '%s' (%s)", err.msg, err.hint, word, key);
}

static void entries_come_out_whatever_the_pieces(void **state)
{
	(void)state;
	for (size_t piece = 1; piece < 3000; piece = piece * 3 + 1) {
		struct tarball t = { .len = 0 };
		struct reading r;
		const uint8_t *data;
		uint64_t at = 0;
		char body[600];
		size_t n = 0;
		ssize_t got;

		memset(body, 'b', sizeof(body));
		tarball_add(&t, &(struct tarent){ .name = "./dir/", .type = '5', .mode = 0755 });
		tarball_add(&t, &(struct tarent){ .name = "dir/file",
						  .body = body,
						  .body_len = sizeof(body),
						  .mode = 04711,
						  .uid = 7,
						  .gid = 8 });
		tarball_add(&t, &(struct tarent){ .name = "l", .type = '2', .link = "../x" });
		tarball_add(&t, &(struct tarent){ .name = "h", .type = '1', .link = "/dir//file" });
		tarball_end(&t);
		start(&r, &t, piece);
		assert_int_equal(step(&r)->type, SB_TAR_DIR);
		assert_string_equal(r.e->path, "dir");
		assert_int_equal(step(&r)->type, SB_TAR_FILE);
		assert_string_equal(r.e->path, "dir/file");
		assert_int_equal(r.e->mode, 04711);
		assert_int_equal(r.e->uid, 7);
		assert_int_equal(r.e->gid, 8);
		assert_int_equal(r.e->mtime.tv_sec, 1000);
		while ((got = sb_tar_read(r.tar, &data, &at, &r.err)) > 0) {
			assert_int_equal(at, n);
			n += (size_t)got;
		}
		assert_int_equal(n, sizeof(body));
		assert_int_equal(step(&r)->type, SB_TAR_SYMLINK);
		assert_string_equal(r.e->link, "../x");
		assert_int_equal(step(&r)->type, SB_TAR_HARDLINK);
		assert_string_equal(r.e->link, "dir/file");
		assert_int_equal(sb_tar_next(r.tar, &r.e, &r.err), 0);
		assert_int_equal(sb_tar_drain(r.tar, &r.err), 0);
		assert_int_equal(sb_tar_offset(r.tar), t.len);
		finish(&r, &t);
	}
}

static void pax_records_override_the_header(void **state)
{
	struct tarball t = { .len = 0 };
	struct sb_tar_xattr x;
	struct reading r;
	size_t pos = 0, at;
	char name[200];

	(void)state;
	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	tarball_pax_str(&t, "path", name);
	tarball_pax_str(&t, "uid", "3000000000");
	tarball_pax_str(&t, "mtime", "12.5");
	tarball_pax(&t, 'x', "SCHILY.xattr.user.a", "1\n\0=", 4);
	tarball_pax_str(&t, "size", "3");
	at = tarball_add(&t, &(struct tarent){ .name = "short", .body = "abc" });
	/* The header's own size is wrong: only the record counts. */
	memcpy(((struct sb_header *)(t.data + at))->size, "00000000777", 12);
	tarball_sum(&t, at);
	tarball_add(&t, &(struct tarent){ .name = "next" });
	start(&r, &t, 512);
	step(&r);
	assert_string_equal(r.e->path, name);
	assert_int_equal(r.e->uid, 3000000000U);
	assert_int_equal(r.e->mtime.tv_sec, 12);
	assert_int_equal(r.e->mtime.tv_nsec, 500000000);
	assert_int_equal(r.e->size, 3);
	assert_int_equal(sb_tar_next_xattr(r.e, &pos, &x), 1);
	assert_string_equal(x.name, "user.a");
	assert_int_equal(x.len, 4);
	assert_memory_equal(x.value, "1\n\0=", 4);
	assert_int_equal(sb_tar_next_xattr(r.e, &pos, &x), 0);
	/* They are for one entry only. */
	step(&r);
	assert_string_equal(r.e->path, "next");
	assert_int_equal(r.e->uid, 0);
	assert_int_equal(r.e->xattrs_len, 0);
	finish(&r, &t);
}

static void global_records_last_until_overridden(void **state)
{
	struct tarball t = { .len = 0 };
	struct reading r;

	(void)state;
	tarball_pax(&t, 'g', "comment", "a commit", 8);
	tarball_pax(&t, 'g', "uid", "77", 2);
	tarball_add(&t, &(struct tarent){ .name = "a", .uid = 5 });
	tarball_pax_str(&t, "uid", "78");
	tarball_add(&t, &(struct tarent){ .name = "b" });
	tarball_add(&t, &(struct tarent){ .name = "c" });
	start(&r, &t, 512);
	assert_int_equal(step(&r)->uid, 77);
	assert_int_equal(step(&r)->uid, 78);
	assert_int_equal(step(&r)->uid, 77);
	finish(&r, &t);
}

static void gnu_long_names_are_read(void **state)
{
	struct tarball t = { .len = 0 };
	struct reading r;
	char name[180];
	size_t at;

	(void)state;
	memset(name, 'g', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	tarball_add(&t, &(struct tarent){ .name = "././@LongLink",
					  .type = 'L',
					  .body = name,
					  .body_len = sizeof(name) });
	tarball_add(&t, &(struct tarent){ .name = "././@LongLink",
					  .type = 'K',
					  .body = name,
					  .body_len = sizeof(name) });
	at = tarball_add(&t, &(struct tarent){ .name = "cut", .type = '2', .link = "cut" });
	/* GNU's magic: no prefix there, but other things. */
	memcpy(t.data + at + offsetof(struct sb_header, magic), "ustar  ", 8);
	memcpy(t.data + at + offsetof(struct sb_header, prefix), "12345", 5);
	tarball_sum(&t, at);
	at = tarball_add(&t, &(struct tarent){ .name = "gnu" });
	memcpy(t.data + at + offsetof(struct sb_header, magic), "ustar  ", 8);
	memcpy(t.data + at + offsetof(struct sb_header, prefix), "12345", 5);
	/* A size in base 256. */
	memcpy(t.data + at + offsetof(struct sb_header, uid), "\x80\0\0\0\0\1\0\0", 8);
	tarball_sum(&t, at);
	start(&r, &t, 512);
	step(&r);
	assert_string_equal(r.e->path, name);
	assert_string_equal(r.e->link, name);
	assert_string_equal(step(&r)->path, "gnu");
	assert_int_equal(r.e->uid, 65536);
	finish(&r, &t);
}

static void a_ustar_prefix_comes_before_the_name(void **state)
{
	struct tarball t = { .len = 0 };
	struct reading r;
	size_t at = tarball_add(&t, &(struct tarent){ .name = "name" });

	(void)state;
	memcpy(t.data + at + offsetof(struct sb_header, prefix), "a/b", 3);
	tarball_sum(&t, at);
	start(&r, &t, 512);
	assert_string_equal(step(&r)->path, "a/b/name");
	finish(&r, &t);
}

static void paths_that_lead_elsewhere_are_refused(void **state)
{
	static const char *const bad[] = { "../x", "a/../../x", "a/..", "/..", "./..", ".." };

	(void)state;
	for (size_t i = 0; i < SB_ARRAY_SIZE(bad); i++) {
		struct tarball t = { .len = 0 };

		tarball_add(&t, &(struct tarent){ .name = bad[i] });
		expect_refused(&t, "'..'");
		tarball_pax_str(&t, "path", bad[i]);
		tarball_add(&t, &(struct tarent){ .name = "x" });
		expect_refused(&t, "'..'");
		tarball_add(&t, &(struct tarent){ .name = "x", .type = '1', .link = bad[i] });
		expect_refused(&t, "'..'");
	}
}

static void absolute_paths_mean_the_root_of_the_layer(void **state)
{
	struct tarball t = { .len = 0 };
	struct reading r;

	(void)state;
	tarball_add(&t, &(struct tarent){ .name = "//etc/./passwd" });
	tarball_add(&t, &(struct tarent){ .name = "/", .type = '5' });
	start(&r, &t, 512);
	assert_string_equal(step(&r)->path, "etc/passwd");
	assert_string_equal(step(&r)->path, "");
	finish(&r, &t);
}

static void broken_extended_headers_are_refused(void **state)
{
	static const struct {
		const char *body;
		size_t len;
		const char *word;
	} rows[] = {
		{ "12 path=x\n", 0, "broken record" },
		{ "0 path=x\n", 0, "broken record" },
		{ "path=x\n", 0, "broken record" },
		{ "-9 path=x\n", 0, "broken record" },
		{ "9 path=xy\n", 0, "broken record" },
		{ "99999999999999999999 a=b\n", 0, "broken" },
		{ "6 path\n", 0, "broken record" },
		{ "5 =x\n", 0, "broken record" },
		{ "10 path=\0\n", 10, "NUL" },
		{ "11 path=a\0\n", 11, "NUL" },
		{ "10 size=-\n", 0, "not a number" },
		{ "15 uid=4294967295\n", 0, "broken record" },
		{ "18 uid=4294967295\n", 0, "range" },
		{ "11 mtime=x\n", 0, "not a time" },
		{ "23 GNU.sparse.size=0\0000\n", 23, "unknown record of a sparse" },
		{ "18 SCHILY.xattr.=\n", 0, "too short" },
	};

	(void)state;
	for (size_t i = 0; i < SB_ARRAY_SIZE(rows); i++) {
		struct tarball t = { .len = 0 };

		tarball_add(&t, &(struct tarent){ .name = "pax",
						  .type = 'x',
						  .body = rows[i].body,
						  .body_len = rows[i].len });
		tarball_add(&t, &(struct tarent){ .name = "x" });
		expect_refused(&t, rows[i].word);
	}
}

static void a_global_header_can_not_rename_or_resize(void **state)
{
	static const char *const keys[] = { "path", "linkpath", "size", "SCHILY.xattr.user.a",
					    "GNU.sparse.size" };

	(void)state;
	for (size_t i = 0; i < SB_ARRAY_SIZE(keys); i++) {
		struct tarball t = { .len = 0 };

		tarball_pax(&t, 'g', keys[i], "1", 1);
		tarball_add(&t, &(struct tarent){ .name = "x" });
		expect_refused(&t, "global");
	}
}

static void limits_hold(void **state)
{
	struct tarball t = { .len = 0 };
	char *big = calloc(1, 2 << 20);
	char deep[600];

	(void)state;
	assert_non_null(big);
	memset(big, 'x', (2 << 20) - 1);
	tarball_pax(&t, 'x', "comment", big, (1 << 20) + 1);
	tarball_add(&t, &(struct tarent){ .name = "x" });
	expect_limit(&t, "longer than 1048576 bytes", "paxBytes ");
	tarball_pax(&t, 'x', "SCHILY.xattr.user.a", big, 65536);
	tarball_add(&t, &(struct tarent){ .name = "x" });
	expect_limit(&t, "attributes are longer", "xattrBytes ");
	tarball_pax(&t, 'x', "path", big, 256);
	tarball_add(&t, &(struct tarent){ .name = "x" });
	expect_refused(&t, "a name is longer");
	tarball_pax(&t, 'x', "path", big, 4096);
	tarball_add(&t, &(struct tarent){ .name = "x" });
	expect_refused(&t, "a name is longer");
	for (size_t i = 0; i < sizeof(deep) - 1; i++)
		deep[i] = i % 2 ? '/' : 'd';
	deep[257 * 2] = '\0';
	tarball_pax_str(&t, "path", deep);
	tarball_add(&t, &(struct tarent){ .name = "x" });
	expect_limit(&t, "components", "depth ");
	free(big);
}

static void a_tar_that_ends_too_early_is_refused(void **state)
{
	(void)state;
	/* Everywhere but at the start, between entries and in the end mark. */
	for (size_t len = 1; len < 3 * 512 + 512; len += 17) {
		struct tarball t = { .len = 0 };

		tarball_add(&t, &(struct tarent){ .name = "a" });
		tarball_add(&t, &(struct tarent){ .name = "b", .body = "body" });
		t.len = len < t.len ? len : t.len - 1;
		if (t.len == 512)
			t.len++;
		expect_refused(&t, "ends too early");
	}
}

static void a_tar_may_end_without_its_mark(void **state)
{
	struct tarball t = { .len = 0 };
	struct sb_err err;

	(void)state;
	assert_int_equal(read_all(&t, &err), 0); /* not one byte: an empty layer */
	tarball_add(&t, &(struct tarent){ .name = "a" });
	assert_int_equal(read_all(&t, &err), 0);
	tarball_add(&t, &(struct tarent){ .name = "a" });
	tarball_zeros(&t, 512);
	assert_int_equal(read_all(&t, &err), 0);
}

static void what_is_no_tar_is_refused(void **state)
{
	struct tarball t = { .len = 0 };
	size_t at;

	(void)state;
	for (int i = 0; i < 100; i++)
		tarball_raw(&t, "not a tar ", 10);
	expect_refused(&t, "not a tar");
	at = tarball_add(&t, &(struct tarent){ .name = "a" });
	t.data[at]++; /* any bit */
	expect_refused(&t, "wrong header checksum");
	tarball_zeros(&t, 512);
	tarball_add(&t, &(struct tarent){ .name = "a" });
	expect_refused(&t, "zero block");
	tarball_pax_str(&t, "path", "a");
	tarball_end(&t);
	expect_refused(&t, "ends too early");
}

static void types_and_numbers_we_can_not_make_are_refused(void **state)
{
	static const struct {
		size_t at, len;
		const char *bytes, *word;
	} rows[] = {
		{ offsetof(struct sb_header, type), 1, "S", "no known format" },
		{ offsetof(struct sb_header, type), 1, "V", "type 0x56" },
		{ offsetof(struct sb_header, type), 1, "\x80", "type 0x80" },
		{ offsetof(struct sb_header, size), 12, "-0000000001", "not a number" },
		{ offsetof(struct sb_header, size), 12, "0000000001z", "not a number" },
		{ offsetof(struct sb_header, size), 12,
		  "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", "range" },
		{ offsetof(struct sb_header, size), 12,
		  "\x80\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00", "range" },
		{ offsetof(struct sb_header, size), 12,
		  "\x80\x00\x00\x00\x7f\xff\xff\xff\xff\xff\xff\xff", "longer" },
		{ offsetof(struct sb_header, uid), 8, "\x80\0\0\0\xff\xff\xff\xff", "range" },
		{ offsetof(struct sb_header, gid), 8, "9999999", "not a number" },
		{ offsetof(struct sb_header, name), 1, "", "no name" },
	};

	(void)state;
	for (size_t i = 0; i < SB_ARRAY_SIZE(rows); i++) {
		struct tarball t = { .len = 0 };
		size_t at = tarball_add(&t, &(struct tarent){ .name = "a" });

		memcpy(t.data + at + rows[i].at, rows[i].bytes, rows[i].len);
		tarball_sum(&t, at);
		expect_refused(&t, rows[i].word);
	}
}

/* What the file with "AAAA…", a hole, "BBBB…" and a hole is to be read as. */
#define PIECE     512
#define B_AT      4096
#define REAL_SIZE 10000
#define REAL_TEXT "10000"

static void expect_pieces(struct tarball *t, const char *path)
{
	struct reading r;
	const uint8_t *data;
	uint64_t at = 0;
	ssize_t n;
	size_t got[2] = { 0, 0 };

	tarball_add(t, &(struct tarent){ .name = "next" });
	start(&r, t, 100);
	step(&r);
	assert_int_equal(r.e->type, SB_TAR_FILE);
	assert_string_equal(r.e->path, path);
	assert_int_equal(r.e->size, REAL_SIZE);
	assert_int_equal(r.e->stored, 2 * PIECE);
	while ((n = sb_tar_read(r.tar, &data, &at, &r.err)) > 0) {
		bool b = at >= B_AT;

		assert_int_equal(at, (b ? B_AT : 0) + got[b]);
		for (ssize_t i = 0; i < n; i++)
			assert_int_equal(data[i], b ? 'B' : 'A');
		got[b] += (size_t)n;
	}
	assert_int_equal(n, 0);
	assert_int_equal(got[0], PIECE);
	assert_int_equal(got[1], PIECE);
	assert_string_equal(step(&r)->path, "next");
	assert_int_equal(r.e->stored, 0);
	finish(&r, t);
}

/* The data of both pieces, after @head, which is a whole number of blocks. */
static void add_pieces(struct tarball *t, const char *name, const char *head, size_t head_len)
{
	char *body = calloc(1, head_len + 2 * (size_t)PIECE);

	assert_non_null(body);
	if (head_len > 0)
		memcpy(body, head, head_len);
	memset(body + head_len, 'A', PIECE);
	memset(body + head_len + PIECE, 'B', PIECE);
	tarball_add(t, &(struct tarent){ .name = name,
					 .body = body,
					 .body_len = head_len + 2 * (size_t)PIECE });
	free(body);
}

/* Make the header at @at one of GNU's type S with @pieces of "offset, length" pairs. */
static void make_old(struct tarball *t, size_t at, const uint64_t (*pieces)[2], size_t n, bool more)
{
	char *h = t->data + at;

	memcpy(h + offsetof(struct sb_header, magic), "ustar  ", 8);
	h[offsetof(struct sb_header, type)] = 'S';
	for (size_t i = 0; i < n; i++) {
		tarball_octal(h + 386 + 24 * i, 12, pieces[i][0]);
		tarball_octal(h + 398 + 24 * i, 12, pieces[i][1]);
	}
	h[482] = (char)more;
	tarball_octal(h + 483, 12, REAL_SIZE);
	tarball_sum(t, at);
}

static void old_sparse_files_are_read(void **state)
{
	static const uint64_t pieces[][2] = { { 0, PIECE }, { B_AT, PIECE }, { REAL_SIZE, 0 } };
	struct tarball t = { .len = 0 };
	size_t at = t.len;

	(void)state;
	add_pieces(&t, "f", NULL, 0);
	make_old(&t, at, pieces, SB_ARRAY_SIZE(pieces), false);
	expect_pieces(&t, "f");
}

static void old_sparse_files_may_have_extension_blocks(void **state)
{
	static const uint64_t pieces[][2] = { { 0, 100 }, { 100, 200 }, { 300, 200 }, { 500, 12 } };
	struct tarball t = { .len = 0 };
	char block[512] = "", data[2 * PIECE];
	size_t size = 2 * (size_t)PIECE;

	(void)state;
	/* An empty entry of that type, whose size is then set: its extension comes first. */
	tarball_add(&t, &(struct tarent){ .name = "f" });
	make_old(&t, 0, pieces, SB_ARRAY_SIZE(pieces), true);
	tarball_octal(t.data + offsetof(struct sb_header, size), 12, size);
	tarball_sum(&t, 0);
	for (size_t i = 0; i < 21; i++) {
		tarball_octal(block + 24 * i, 12, B_AT + i);
		tarball_octal(block + 24 * i + 12, 12, 1);
	}
	block[504] = 1;
	tarball_raw(&t, block, sizeof(block));
	memset(block, 0, sizeof(block));
	tarball_octal(block, 12, B_AT + 21);
	tarball_octal(block + 12, 12, PIECE - 21);
	tarball_raw(&t, block, sizeof(block));
	memset(data, 'A', PIECE);
	memset(data + PIECE, 'B', PIECE);
	tarball_raw(&t, data, sizeof(data));
	expect_pieces(&t, "f");
}

static void pax_sparse_files_of_version_0_are_read(void **state)
{
	static const char *const v00[] = { "GNU.sparse.size",
					   REAL_TEXT,
					   "GNU.sparse.numblocks",
					   "3",
					   "GNU.sparse.offset",
					   "0",
					   "GNU.sparse.numbytes",
					   "512",
					   "GNU.sparse.offset",
					   "4096",
					   "GNU.sparse.numbytes",
					   "512",
					   "GNU.sparse.offset",
					   REAL_TEXT,
					   "GNU.sparse.numbytes",
					   "0",
					   NULL };
	static const char *const v01[] = { "GNU.sparse.size",
					   REAL_TEXT,
					   "GNU.sparse.numblocks",
					   "3",
					   "GNU.sparse.name",
					   "d/real",
					   "GNU.sparse.map",
					   "0,512,4096,512,10000,0",
					   "path",
					   "not/this",
					   NULL };
	struct tarball t = { .len = 0 };

	(void)state;
	tarball_pax_list(&t, v00);
	add_pieces(&t, "f", NULL, 0);
	expect_pieces(&t, "f");
	tarball_pax_list(&t, v01);
	add_pieces(&t, "GNUSparseFile.1/real", NULL, 0);
	expect_pieces(&t, "d/real");
}

/* Append an entry of version 1.0 with @map as text, filled to a whole block. */
static void add_version_1(struct tarball *t, const char *map)
{
	static const char *const records[] = { "GNU.sparse.major",
					       "1",
					       "GNU.sparse.minor",
					       "0",
					       "GNU.sparse.name",
					       "real",
					       "GNU.sparse.realsize",
					       REAL_TEXT,
					       NULL };
	size_t len = (strlen(map) + 511) / 512 * 512;
	char *head = calloc(1, len + 1);

	assert_non_null(head);
	memcpy(head, map, strlen(map) + 1);
	tarball_pax_list(t, records);
	add_pieces(t, "GNUSparseFile.1/real", head, len);
	free(head);
}

static void pax_sparse_files_of_version_1_are_read(void **state)
{
	struct tarball t = { .len = 0 };
	char map[2000] = "";
	size_t n;

	(void)state;
	add_version_1(&t, "3\n0\n512\n4096\n512\n10000\n0\n");
	expect_pieces(&t, "real");
	/* A map that crosses a block, within a number too. */
	n = (size_t)snprintf(map, sizeof(map), "202\n0\n512\n");
	for (int i = 0; i < 200; i++)
		n += (size_t)snprintf(map + n, sizeof(map) - n, "600\n0\n");
	assert_true(n > 512);
	snprintf(map + n, sizeof(map) - n, "4096\n512\n");
	add_version_1(&t, map);
	expect_pieces(&t, "real");
}

static void hostile_sparse_maps_are_refused(void **state)
{
	static const struct {
		const char *map, *word;
	} rows[] = {
		{ "2\n4096\n512\n0\n512\n", "broken" },      /* descending */
		{ "2\n0\n512\n511\n512\n", "broken" },       /* overlapping */
		{ "2\n0\n512\n9489\n512\n", "broken" },      /* past the end */
		{ "1\n10001\n0\n", "broken" },               /* a start past it */
		{ "1\n0\n9223372036854775807\n", "broken" }, /* longer than all */
		{ "2\n9223372036854775807\n9223372036854775807\n", "broken" },
		{ "1\n0\n9223372036854775808\n", "broken" },  /* above 2^63 */
		{ "1\n0\n99999999999999999999\n", "broken" }, /* above 2^64 */
		{ "1\n0\n512\n", "does not fit" },            /* too little */
		{ "0\n", "does not fit" },
		{ "2\n0\n512\n4096\n513\n", "does not fit" }, /* too much */
		{ "262145\n", "more than 262144 pieces" },
		{ "x\n", "broken" },
		{ "\n", "broken" },
		{ "-1\n", "broken" },
		{ "1\n0\n 512\n", "broken" },
		{ "3\n0\n512\n4096\n512\n", "broken" }, /* fewer than announced */
	};

	(void)state;
	for (size_t i = 0; i < SB_ARRAY_SIZE(rows); i++) {
		struct tarball t = { .len = 0 };

		add_version_1(&t, rows[i].map);
		expect_refused(&t, rows[i].word);
	}
}

static void sparse_records_that_make_no_sense_are_refused(void **state)
{
	static const struct {
		const char *records[13];
		const char *word;
	} rows[] = {
		{ { "GNU.sparse.name", "x" }, "broken" },
		{ { "GNU.sparse.map", "0,1" }, "broken" }, /* no size */
		{ { "GNU.sparse.size", "1024", "GNU.sparse.map", "0" }, "broken" },
		{ { "GNU.sparse.size", "1024", "GNU.sparse.map", "" }, "broken" },
		{ { "GNU.sparse.size", "1024", "GNU.sparse.map", "0,1024," }, "broken" },
		{ { "GNU.sparse.size", "1024", "GNU.sparse.map", "0,1024", "GNU.sparse.map",
		    "0,1" },
		  "broken" },
		{ { "GNU.sparse.size", "1024", "GNU.sparse.map", "0,00000000000000000001024" },
		  "broken" },
		{ { "GNU.sparse.size", "1024", "GNU.sparse.numblocks", "2", "GNU.sparse.map",
		    "0,1024" },
		  "broken" },
		{ { "GNU.sparse.size", "1024", "GNU.sparse.offset", "0", "GNU.sparse.offset", "0" },
		  "broken" },
		{ { "GNU.sparse.size", "1024", "GNU.sparse.numbytes", "0" }, "broken" },
		{ { "GNU.sparse.size", "1024", "GNU.sparse.offset", "0" }, "broken" },
		{ { "GNU.sparse.size", "-1" }, "unknown record" },
		{ { "GNU.sparse.size", "68719476737" }, "longer than 68719476736 bytes" },
		{ { "GNU.sparse.numblocks", "262145" }, "more than 262144 pieces" },
		{ { "GNU.sparse.other", "1" }, "unknown record" },
		{ { "GNU.sparse.major", "2", "GNU.sparse.minor", "1" }, "format 2.1" },
		{ { "GNU.sparse.major", "1", "GNU.sparse.minor", "0", "GNU.sparse.size", "1024",
		    "GNU.sparse.map", "0,1024" },
		  "broken" },
	};

	(void)state;
	for (size_t i = 0; i < SB_ARRAY_SIZE(rows); i++) {
		struct tarball t = { .len = 0 };

		tarball_pax_list(&t, rows[i].records);
		add_pieces(&t, "f", NULL, 0);
		expect_refused(&t, rows[i].word);
	}
	{
		static const char *const records[] = { "GNU.sparse.size", "0", NULL };
		struct tarball t = { .len = 0 };

		tarball_pax_list(&t, records);
		tarball_add(&t, &(struct tarent){ .name = "d", .type = '5' });
		expect_refused(&t, "not a regular file");
	}
}

static void old_sparse_files_that_are_broken_are_refused(void **state)
{
	static const uint64_t none[][2] = { { 0, 0 } };
	static const uint64_t full[][2] = { { 0, 0 }, { 0, 0 }, { 0, 0 }, { 0, 0 } };
	struct tarball t = { .len = 0 };
	char block[512] = "";

	(void)state;
	/* Extension blocks are announced, but the list in the header has ended. */
	tarball_add(&t, &(struct tarent){ .name = "f" });
	make_old(&t, 0, none, 1, true);
	expect_refused(&t, "broken");
	/* A chain of blocks with nothing in them. */
	tarball_add(&t, &(struct tarent){ .name = "f" });
	make_old(&t, 0, full, 4, true);
	block[504] = 1;
	for (int i = 0; i < 4; i++)
		tarball_raw(&t, block, sizeof(block));
	expect_refused(&t, "broken");
	/* No block where one is announced. */
	tarball_add(&t, &(struct tarent){ .name = "f" });
	make_old(&t, 0, full, 4, true);
	expect_refused(&t, "too early");
	/* A directory by its name. */
	tarball_add(&t, &(struct tarent){ .name = "f/" });
	make_old(&t, 0, none, 1, false);
	expect_refused(&t, "not a regular file");
}

static void names_in_messages_are_harmless(void **state)
{
	char buf[SB_TAR_SHOWN_SIZE], name[300];

	(void)state;
	assert_string_equal(sb_tar_shown("a\033[2Jb\n\xc3\xbc", buf), "a?[2Jb???");
	memset(name, 'x', sizeof(name));
	memcpy(name + 290, "/the-end", 9);
	sb_tar_shown(name, buf);
	assert_int_equal(strlen(buf), SB_TAR_SHOWN_SIZE - 1);
	assert_non_null(strstr(buf, "/the-end"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(entries_come_out_whatever_the_pieces),
		cmocka_unit_test(pax_records_override_the_header),
		cmocka_unit_test(global_records_last_until_overridden),
		cmocka_unit_test(gnu_long_names_are_read),
		cmocka_unit_test(a_ustar_prefix_comes_before_the_name),
		cmocka_unit_test(paths_that_lead_elsewhere_are_refused),
		cmocka_unit_test(absolute_paths_mean_the_root_of_the_layer),
		cmocka_unit_test(broken_extended_headers_are_refused),
		cmocka_unit_test(a_global_header_can_not_rename_or_resize),
		cmocka_unit_test(limits_hold),
		cmocka_unit_test(a_tar_that_ends_too_early_is_refused),
		cmocka_unit_test(a_tar_may_end_without_its_mark),
		cmocka_unit_test(what_is_no_tar_is_refused),
		cmocka_unit_test(types_and_numbers_we_can_not_make_are_refused),
		cmocka_unit_test(old_sparse_files_are_read),
		cmocka_unit_test(old_sparse_files_may_have_extension_blocks),
		cmocka_unit_test(pax_sparse_files_of_version_0_are_read),
		cmocka_unit_test(pax_sparse_files_of_version_1_are_read),
		cmocka_unit_test(hostile_sparse_maps_are_refused),
		cmocka_unit_test(sparse_records_that_make_no_sense_are_refused),
		cmocka_unit_test(old_sparse_files_that_are_broken_are_refused),
		cmocka_unit_test(names_in_messages_are_harmless),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
