/* SPDX-License-Identifier: Apache-2.0 */
/* program.c - where our other programs are */
#include "runtime/base/program.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "runtime/base/err.h"

/**
 * sb_program_find() - Find a helper program of this build
 * @name:	"sbrun-init" or "sbrun-image"
 * @ret_path:	its absolute path
 * @size:	size of @ret_path
 *
 * Beside the running program (a build tree), else in the directory chosen at configure time.
 * Neither PATH nor the environment is asked: the program runs as root.
 *
 * Return: 0, or a negative errno value (-ENOENT)
 */
int sb_program_find(const char *name, char *ret_path, size_t size, struct sb_err *err)
{
	char self[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	char *slash;

	if (n > 0) {
		self[n] = '\0';
		slash = strrchr(self, '/');
		snprintf(ret_path, size, "%.*s/%s", (int)(slash - self), self, name);
		if (access(ret_path, X_OK) == 0)
			return 0;
	}
	snprintf(ret_path, size, "%s/%s", SBRUN_LIBEXECDIR, name);
	if (access(ret_path, X_OK) == 0)
		return 0;
	sb_err_set(err, errno, "find the program '%s'", name);
	return sb_err_hint(err, "is sbrun installed completely?");
}
