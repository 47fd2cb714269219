/* SPDX-License-Identifier: Apache-2.0 */
/*
 * unit.h - what every unit test includes: cmocka with what it wants first, and small helpers
 */
#ifndef SB_TESTS_UNIT_H
#define SB_TESTS_UNIT_H

#undef NDEBUG
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "runtime/base/path.h"

/* Leave the whole program as "skipped", which SBRUN_MUST_WORK=1 turns into a failure. */
static inline void unit_skip(const char *why)
{
	const char *must = getenv("SBRUN_MUST_WORK");

	fprintf(stderr, "skipped: %s\n", why);
	exit(must && !strcmp(must, "1") ? 1 : 77);
}

static inline void unit_need_root(void)
{
	if (geteuid() != 0)
		unit_skip("needs root");
}

/* Make an empty directory; @path gets its name, room for 32 bytes. Returns a descriptor. */
static inline int unit_tmpdir(char *path)
{
	int fd;

	strcpy(path, "/tmp/sbrun-unit-XXXXXX");
	assert_non_null(mkdtemp(path));
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(fd >= 0);
	return fd;
}

/* State of a test that needs no more than a directory of its own. */
struct unit_dir {
	char path[32];
	int dir;
};

static inline int unit_dir_setup(void **state)
{
	struct unit_dir *f = calloc(1, sizeof(*f));

	f->dir = unit_tmpdir(f->path);
	*state = f;
	return 0;
}

static inline int unit_dir_teardown(void **state)
{
	struct unit_dir *f = *state;

	close(f->dir);
	assert_int_equal(sb_remove_tree_at(AT_FDCWD, f->path), 0);
	free(f);
	return 0;
}

#define UNIT_IN_DIR(fn) cmocka_unit_test_setup_teardown(fn, unit_dir_setup, unit_dir_teardown)

/* Put @text into the new file @name. */
static inline void unit_write(int dirfd, const char *name, const char *text)
{
	int fd = openat(dirfd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

#endif /* SB_TESTS_UNIT_H */
