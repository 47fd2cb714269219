/* SPDX-License-Identifier: Apache-2.0 */
/*
 * driver.c - run a fuzz target over the files of its corpus, without libFuzzer
 *
 * Each argument is a file or a directory of files. Every input is handed over in a heap buffer of
 * exactly its size, so that AddressSanitizer and valgrind see a read past its end.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "runtime/base/cleanup.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void fail(const char *what, const char *path)
{
	fprintf(stderr, "driver: %s '%s': %s\n", what, path, strerror(errno));
	exit(1);
}

static void run_file(const char *path)
{
	FILE *file = fopen(path, "re");
	uint8_t *data;
	struct stat st;

	if (!file || fstat(fileno(file), &st) < 0)
		fail("open", path);
	data = malloc(st.st_size ? (size_t)st.st_size : 1);
	if (!data || fread(data, 1, (size_t)st.st_size, file) != (size_t)st.st_size)
		fail("read", path);
	(void)fclose(file);
	(void)LLVMFuzzerTestOneInput(data, (size_t)st.st_size);
	free(data);
}

static int run_dir(const char *path)
{
	_cleanup_dir_ DIR *dir = opendir(path);
	struct dirent *entry;
	char name[4096];
	int n = 0;

	if (!dir)
		fail("open", path);
	while ((entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		if (snprintf(name, sizeof(name), "%s/%s", path, entry->d_name) >=
		    (int)sizeof(name)) {
			errno = ENAMETOOLONG;
			fail("open", entry->d_name);
		}
		run_file(name);
		n++;
	}
	return n;
}

int main(int argc, char **argv)
{
	struct stat st;
	int n = 0;

	for (int i = 1; i < argc; i++) {
		if (stat(argv[i], &st) < 0)
			fail("find", argv[i]);
		if (S_ISDIR(st.st_mode)) {
			n += run_dir(argv[i]);
		} else {
			run_file(argv[i]);
			n++;
		}
	}
	printf("%d inputs\n", n);
	return n ? 0 : 1; /* an empty corpus tests nothing */
}
