/* SPDX-License-Identifier: Apache-2.0 */
/* test_image_layer.c - a layer becomes the directory it describes, and nothing outside is touched
 */
#include "images/layer.h"

#include "tests/unit/tarball.h"

#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include "images/limits.h"
#include "images/source.h"
#include "images/store.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/err.h"
#include "runtime/base/path.h"

#define OPAQUE ".wh..wh..opq"

/* A directory "layer" to unpack into, beside a file "canary" that must stay as it is. */
struct fixture {
	char path[32];
	int outside;
	int layer;
	int split; /* -1: no record is wanted */
	struct tarball tar;
	struct sb_layer_record record;
	struct sb_err err;
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	f->outside = unit_tmpdir(f->path);
	unit_write(f->outside, "canary", "alive");
	assert_int_equal(mkdirat(f->outside, "layer", 0700), 0);
	f->layer = openat(f->outside, "layer", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(f->layer >= 0);
	f->split = -1;
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	char text[16] = "";
	struct stat st;
	int fd = openat(f->outside, "canary", O_RDONLY | O_CLOEXEC);

	assert_int_equal(read(fd, text, sizeof(text)), 5);
	assert_string_equal(text, "alive");
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0644);
	assert_int_equal(st.st_uid, 0);
	assert_int_equal(st.st_nlink, 1);
	close(fd);
	close(f->layer);
	close(f->outside);
	assert_int_equal(sb_remove_tree_at(AT_FDCWD, f->path), 0);
	free(f->tar.data);
	free(f);
	return 0;
}

static void add(struct fixture *f, const char *name, char type, const char *link_or_body)
{
	bool is_link = type == '1' || type == '2';

	tarball_add(&f->tar, &(struct tarent){ .name = name,
					       .type = type,
					       .link = is_link ? link_or_body : NULL,
					       .body = is_link ? NULL : link_or_body,
					       .mode = type == '5' ? 0755 : 0644 });
}

/* Unpack what was added so far; the tarball is empty afterwards. */
static int unpack(struct fixture *f)
{
	const struct sb_layer_limits limits = SB_LAYER_LIMITS_DEFAULT;
	struct sb_mem_source from;
	int r;

	sb_source_from_memory(&from, f->tar.data, f->tar.len, 700);
	r = sb_layer_unpack(&(struct sb_layer_job){ .dirfd = f->layer,
						    .tar = &from.base,
						    .limits = &limits,
						    .split_fd = f->split },
			    &f->record, &f->err);
	free(f->tar.data);
	f->tar = (struct tarball){ .len = 0 };
	return r;
}

static void expect_unpacked(struct fixture *f)
{
	if (unpack(f) < 0)
		fail_msg("%s", f->err.msg);
}

static void expect_refused(struct fixture *f, const char *word)
{
	assert_int_equal(unpack(f), -EPROTO);
	if (!strstr(f->err.msg, word))
		fail_msg("'%s' instead of '%s'", f->err.msg, word);
}

static struct stat stat_of(const struct fixture *f, const char *name)
{
	struct stat st;

	if (fstatat(f->layer, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		fail_msg("%s: %s", name, strerror(errno));
	return st;
}

static bool is_whiteout(const struct fixture *f, const char *name)
{
	struct stat st = stat_of(f, name);

	return S_ISCHR(st.st_mode) && st.st_rdev == makedev(0, 0);
}

static bool is_opaque(const struct fixture *f, const char *name)
{
	int fd = openat(f->layer, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	char value;
	bool ret;

	assert_true(fd >= 0);
	ret = fgetxattr(fd, "trusted.overlay.opaque", &value, 1) == 1 && value == 'y';
	close(fd);
	return ret;
}

static void expect_text(const struct fixture *f, const char *name, const char *text)
{
	char buf[64] = "";
	int fd = openat(f->layer, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_true(read(fd, buf, sizeof(buf) - 1) >= 0);
	close(fd);
	assert_string_equal(buf, text);
}

static void all_kinds_get_their_metadata(void **state)
{
	struct fixture *f = *state;
	struct stat st;
	char target[16] = "";
	char value[32];
	/* cap_net_raw+ep as setcap(8) writes it, linux/capability.h VFS_CAP_REVISION_2 */
	static const char caps[20] = "\x01\x00\x00\x02\x00\x20";
	int fd;

	tarball_add(&f->tar, &(struct tarent){ .name = "./", .type = '5', .mode = 0751, .gid = 3 });
	tarball_add(&f->tar, &(struct tarent){ .name = "d", .type = '5', .mode = 02775, .gid = 9 });
	tarball_pax(&f->tar, 'x', "SCHILY.xattr.security.capability", caps, sizeof(caps));
	tarball_pax_str(&f->tar, "SCHILY.xattr.user.note", "hello");
	tarball_pax_str(&f->tar, "SCHILY.xattr.trusted.overlay.opaque", "y");
	tarball_pax_str(&f->tar, "SCHILY.xattr.user.overlay.opaque", "y");
	tarball_add(&f->tar,
		    &(struct tarent){ .name = "d/f", .body = "text", .mode = 04755, .uid = 5 });
	tarball_add(&f->tar,
		    &(struct tarent){ .name = "l", .type = '2', .link = "/etc/x", .uid = 6 });
	tarball_add(
		&f->tar,
		&(struct tarent){
			.name = "c", .type = '3', .mode = 0666, .dev_major = 1, .dev_minor = 3 });
	tarball_add(&f->tar, &(struct tarent){ .name = "p", .type = '6', .mode = 0620, .gid = 5 });
	expect_unpacked(f);

	st = stat_of(f, ".");
	assert_int_equal(st.st_mode & 07777, 0751);
	assert_int_equal(st.st_gid, 3);
	st = stat_of(f, "d");
	assert_int_equal(st.st_mode & 07777, 02775);
	assert_int_equal(st.st_mtim.tv_sec, 1000); /* though d/f came after it */
	st = stat_of(f, "d/f");
	assert_int_equal(st.st_mode & 07777, 04755);
	assert_int_equal(st.st_uid, 5);
	assert_int_equal(st.st_mtim.tv_sec, 1000);
	fd = openat(f->layer, "d/f", O_RDONLY | O_CLOEXEC);
	assert_int_equal(fgetxattr(fd, "security.capability", value, sizeof(value)), 20);
	assert_memory_equal(value, caps, 20);
	assert_int_equal(fgetxattr(fd, "user.note", value, sizeof(value)), 5);
	assert_int_equal(fgetxattr(fd, "trusted.overlay.opaque", value, sizeof(value)), -1);
	assert_int_equal(fgetxattr(fd, "user.overlay.opaque", value, sizeof(value)), -1);
	close(fd);
	assert_int_equal(stat_of(f, "l").st_uid, 6);
	assert_int_equal(stat_of(f, "l").st_mtim.tv_sec, 1000);
	assert_int_equal(readlinkat(f->layer, "l", target, sizeof(target) - 1), 6);
	assert_string_equal(target, "/etc/x");
	assert_int_equal(stat_of(f, "c").st_rdev, makedev(1, 3));
	assert_int_equal(stat_of(f, "c").st_mode, S_IFCHR | 0666);
	assert_int_equal(stat_of(f, "p").st_mode, S_IFIFO | 0620);
	assert_int_equal(stat_of(f, "p").st_gid, 5);
	assert_int_equal(f->record.entries, 5);
	assert_int_equal(f->record.file_bytes, 4);
}

static void a_set_group_id_directory_does_not_pass_its_group_on(void **state)
{
	struct fixture *f = *state;

	tarball_add(&f->tar, &(struct tarent){ .name = "d", .type = '5', .mode = 02775, .gid = 9 });
	add(f, "d/file", '0', "x");
	add(f, "d/sub/file", '0', "x");
	add(f, "d/link", '2', "x");
	expect_unpacked(f);
	assert_int_equal(stat_of(f, "d/file").st_gid, 0);
	assert_int_equal(stat_of(f, "d/sub").st_gid, 0);
	assert_int_equal(stat_of(f, "d/sub").st_mode & 07777, 0755);
	assert_int_equal(stat_of(f, "d/sub/file").st_gid, 0);
	assert_int_equal(stat_of(f, "d/link").st_gid, 0);
}

static void sparse_files_keep_their_holes(void **state)
{
	static const char *const records[] = { "GNU.sparse.size",
					       "50331648",
					       "GNU.sparse.numblocks",
					       "2",
					       "GNU.sparse.map",
					       "16777216,512,33554432,512",
					       NULL };
	struct fixture *f = *state;
	char body[1024], buf[1024];
	struct stat st;
	int fd;

	memset(body, 'A', 512);
	memset(body + 512, 'B', 512);
	tarball_pax_list(&f->tar, records);
	tarball_add(&f->tar, &(struct tarent){ .name = "f", .body = body, .body_len = 1024 });
	tarball_pax_list(&f->tar, (const char *const[]){ "GNU.sparse.size", "1000000", NULL });
	tarball_add(&f->tar, &(struct tarent){ .name = "hole" });
	expect_unpacked(f);
	st = stat_of(f, "f");
	assert_int_equal(st.st_size, 48 << 20);
	assert_true(st.st_blocks * 512 <= 64 << 10);
	assert_int_equal(f->record.file_bytes, 1024);
	fd = openat(f->layer, "f", O_RDONLY | O_CLOEXEC);
	assert_int_equal(pread(fd, buf, 1024, 16 << 20), 1024);
	assert_memory_equal(buf, body, 512);
	for (int i = 512; i < 1024; i++)
		assert_int_equal(buf[i], 0);
	assert_int_equal(pread(fd, buf, 512, 32 << 20), 512);
	assert_memory_equal(buf, body + 512, 512);
	assert_int_equal(lseek(fd, 0, SEEK_DATA) >> 20, 16);
	close(fd);
	st = stat_of(f, "hole");
	assert_int_equal(st.st_size, 1000000);
	assert_int_equal(st.st_blocks, 0);
}

static void parents_that_are_not_listed_are_made(void **state)
{
	struct fixture *f = *state;

	add(f, "a/b/c/file", '0', "x");
	expect_unpacked(f);
	expect_text(f, "a/b/c/file", "x");
	assert_int_equal(stat_of(f, "a/b").st_mode, S_IFDIR | 0755);
	assert_int_equal(stat_of(f, ".").st_mode & 07777, 0755);
}

static void whiteouts_become_overlays_own(void **state)
{
	struct fixture *f = *state;

	add(f, "d/.wh.gone", '0', NULL);
	add(f, "o/" OPAQUE, '0', NULL);
	add(f, "o/new", '0', "x");
	expect_unpacked(f);
	assert_true(is_whiteout(f, "d/gone"));
	assert_false(is_opaque(f, "d"));
	assert_true(is_opaque(f, "o"));
	expect_text(f, "o/new", "x");
}

static void a_root_can_be_opaque(void **state)
{
	struct fixture *f = *state;

	add(f, "file", '0', "x");
	expect_unpacked(f);
	assert_false(is_opaque(f, "."));
	add(f, "d/file", '0', "x");
	add(f, OPAQUE, '0', NULL);
	tarball_add(&f->tar, &(struct tarent){ .name = "./", .type = '5', .mode = 0750 });
	expect_unpacked(f);
	assert_true(is_opaque(f, "."));
	assert_false(is_opaque(f, "d"));
	assert_int_equal(stat_of(f, ".").st_mode & 07777, 0750);
	assert_int_equal(faccessat(f->layer, OPAQUE, F_OK, 0), -1);
}

static void whiteouts_do_not_depend_on_the_order(void **state)
{
	struct fixture *f = *state;

	add(f, "file1", '0', "1");
	add(f, ".wh.file1", '0', NULL);
	add(f, ".wh.file2", '0', NULL);
	add(f, "file2", '0', "2");
	add(f, "dir1/x", '0', "1");
	add(f, ".wh.dir1", '0', NULL);
	add(f, ".wh.dir2", '0', NULL);
	add(f, "dir2/x", '0', "2");
	add(f, ".wh.dir3", '0', NULL);
	add(f, "dir3", '5', NULL);
	add(f, "o/new", '0', "x");
	add(f, "o/" OPAQUE, '0', NULL);
	expect_unpacked(f);
	expect_text(f, "file1", "1");
	expect_text(f, "file2", "2");
	expect_text(f, "dir1/x", "1");
	expect_text(f, "dir2/x", "2");
	assert_true(is_opaque(f, "dir1"));
	assert_true(is_opaque(f, "dir2"));
	assert_true(is_opaque(f, "dir3"));
	assert_true(is_opaque(f, "o"));
	expect_text(f, "o/new", "x");
}

static void whiteouts_of_nothing_or_elsewhere_are_refused(void **state)
{
	static const char *const bad[] = { ".wh.",   ".wh..",   ".wh...",
					   "d/.wh.", "d/.wh..", "d/.wh..." };
	struct fixture *f = *state;

	for (size_t i = 0; i < SB_ARRAY_SIZE(bad); i++) {
		add(f, bad[i], '0', NULL);
		expect_refused(f, "whiteout");
	}
	add(f, ".wh.x/y", '0', NULL);
	expect_refused(f, "whiteout");
	tarball_add(&f->tar, &(struct tarent){ .name = "x", .type = '3' });
	expect_refused(f, "0/0");
	add(f, "s", '2', "..");
	add(f, "s/.wh.canary", '0', NULL);
	expect_refused(f, "symbolic link");
}

static void files_of_aufs_are_left_out(void **state)
{
	struct fixture *f = *state;

	add(f, ".wh..wh.plnk", '5', NULL);
	add(f, ".wh..wh.plnk/12.34", '0', "x");
	add(f, "d/.wh..wh.aufs", '0', NULL);
	add(f, "x", '0', "x");
	expect_unpacked(f);
	assert_int_equal(f->record.entries, 1);
	assert_int_equal(faccessat(f->layer, ".wh..wh.plnk", F_OK, 0), -1);
	assert_int_equal(faccessat(f->layer, "d", F_OK, 0), -1);
}

static void a_later_entry_replaces_an_earlier_one(void **state)
{
	struct fixture *f = *state;

	add(f, "f", '0', "first");
	add(f, "h", '1', "f");
	add(f, "f", '0', "second"); /* h keeps the first one */
	add(f, "d/x", '0', "x");
	add(f, "d", '0', "now a file");
	add(f, "l", '2', "f");
	add(f, "l", '0', "not through the link");
	add(f, "m", '2', "d");
	add(f, "m", '5', NULL);
	add(f, "m/in", '0', "x");
	add(f, "n", '5', NULL);
	add(f, "n/kept", '0', "x");
	tarball_add(&f->tar, &(struct tarent){ .name = "n", .type = '5', .mode = 0700, .uid = 4 });
	expect_unpacked(f);
	expect_text(f, "h", "first");
	expect_text(f, "f", "second");
	expect_text(f, "d", "now a file");
	expect_text(f, "l", "not through the link");
	expect_text(f, "m/in", "x");
	expect_text(f, "n/kept", "x");
	assert_int_equal(stat_of(f, "n").st_mode & 07777, 0700);
	assert_int_equal(stat_of(f, "n").st_uid, 4);
}

static void nothing_is_below_a_file(void **state)
{
	struct fixture *f = *state;

	add(f, "e", '0', "x");
	add(f, "e/y", '0', "x");
	expect_refused(f, "not a directory");
}

static void hard_links_share_the_file(void **state)
{
	struct fixture *f = *state;

	add(f, "a/f", '0', "text");
	add(f, "s", '2', "a/f");
	add(f, "b/h", '1', "./a/f");
	add(f, "t", '1', "s");
	expect_unpacked(f);
	assert_int_equal(stat_of(f, "b/h").st_ino, stat_of(f, "a/f").st_ino);
	assert_int_equal(stat_of(f, "t").st_ino, stat_of(f, "s").st_ino);
}

static void hard_links_to_elsewhere_are_refused(void **state)
{
	struct fixture *f = *state;

	add(f, "h", '1', "canary");
	expect_refused(f, "'canary', which is not in this layer");
	add(f, "s", '2', "..");
	add(f, "h", '1', "s/canary");
	expect_refused(f, "not in this layer");
	add(f, "h", '1', "../canary");
	expect_refused(f, "'..'");
	add(f, "d", '5', NULL);
	add(f, "h", '1', "d");
	expect_refused(f, "directory");
	add(f, "w/.wh.x", '0', NULL);
	add(f, "h", '1', "w/x");
	expect_refused(f, "not in this layer");
	add(f, "self", '0', "x");
	add(f, "self", '1', "self");
	expect_refused(f, "itself");
}

static void no_path_leads_through_a_link(void **state)
{
	static const char *const targets[] = { "..", "../canary", "/", ".", "d", "/proc/self/cwd" };
	struct fixture *f = *state;

	for (size_t i = 0; i < SB_ARRAY_SIZE(targets); i++) {
		add(f, "d", '5', NULL);
		add(f, "s", '2', targets[i]);
		add(f, "s/canary", '0', "dead");
		expect_refused(f, "symbolic link");
		add(f, "s", '2', targets[i]);
		add(f, "s/new/canary", '5', NULL);
		expect_refused(f, "symbolic link");
	}
	/* Through the last component: the link itself is replaced, what it points to stays. */
	add(f, "s", '2', "../canary");
	add(f, "s", '0', "mine");
	expect_unpacked(f);
	expect_text(f, "s", "mine");
	add(f, "s", '2', "../canary");
	tarball_add(&f->tar, &(struct tarent){ .name = "s", .type = '5', .mode = 0777, .uid = 1 });
	expect_unpacked(f);
	assert_true(S_ISDIR(stat_of(f, "s").st_mode));
}

static void the_root_can_not_be_replaced(void **state)
{
	static const char *const names[] = { ".", "./", "/" };
	struct fixture *f = *state;

	for (size_t i = 0; i < SB_ARRAY_SIZE(names); i++) {
		add(f, names[i], '2', "/etc");
		expect_refused(f, "root is not a directory");
	}
	add(f, ".", '0', NULL);
	expect_refused(f, "root is not a directory");
}

int main(void)
{
#define LAYER_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		LAYER_TEST(all_kinds_get_their_metadata),
		LAYER_TEST(a_set_group_id_directory_does_not_pass_its_group_on),
		LAYER_TEST(sparse_files_keep_their_holes),
		LAYER_TEST(parents_that_are_not_listed_are_made),
		LAYER_TEST(whiteouts_become_overlays_own),
		LAYER_TEST(a_root_can_be_opaque),
		LAYER_TEST(whiteouts_do_not_depend_on_the_order),
		LAYER_TEST(whiteouts_of_nothing_or_elsewhere_are_refused),
		LAYER_TEST(files_of_aufs_are_left_out),
		LAYER_TEST(a_later_entry_replaces_an_earlier_one),
		LAYER_TEST(nothing_is_below_a_file),
		LAYER_TEST(hard_links_share_the_file),
		LAYER_TEST(hard_links_to_elsewhere_are_refused),
		LAYER_TEST(no_path_leads_through_a_link),
		LAYER_TEST(the_root_can_not_be_replaced),
	};

	unit_need_root();
	umask(0);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
