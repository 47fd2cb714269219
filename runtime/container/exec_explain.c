/* SPDX-License-Identifier: Apache-2.0 */
/*
 * exec_explain.c - why a program could not be executed, in words that help
 *
 * execve(2) says ENOENT for a missing program, a missing interpreter and a missing loader alike,
 * and ENOEXEC for another architecture and for a script without "#!". Exit codes: POSIX shell,
 * "Exit Status for Commands": 127 not found, 126 found but not executable.
 */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/err.h"
#include "runtime/container/process.h"

#if defined(__x86_64__)
#define NATIVE_MACHINE EM_X86_64
#elif defined(__aarch64__)
#define NATIVE_MACHINE EM_AARCH64
#else
#error "sbrun supports x86_64 and aarch64"
#endif

static void explain_script(const char *head, struct sb_err *err)
{
	char interpreter[128];
	size_t len;

	head += 2 + strspn(head + 2, " \t");
	len = strcspn(head, " \t\n");
	snprintf(interpreter, sizeof(interpreter), "%.*s", (int)len, head);
	if (len > 0 && head[len - 1] == '\r')
		sb_err_hint(err, "its first line ends with CR LF: save it with Unix line ends");
	else
		sb_err_hint(err, "its interpreter '%s' is not in the image", interpreter);
}

static void explain_elf(const char *head, size_t len, int code, struct sb_err *err)
{
	Elf64_Ehdr e;

	if (len < sizeof(e))
		return;
	memcpy(&e, head, sizeof(e));
	if (e.e_ident[EI_CLASS] != ELFCLASS64 || e.e_machine != NATIVE_MACHINE)
		sb_err_hint(err, "it is built for another architecture");
	else if (code == ENOENT)
		sb_err_hint(err, "its dynamic loader is not in the image (musl and glibc differ)");
}

/**
 * sb_exec_explain() - Word an execve(2) failure
 * @program:	path, or the name that was looked up in PATH
 * @code:	errno value of execve(2)
 *
 * Looks at the program's first bytes with the caller's own rights.
 *
 * Return: -@code; @err has the exit code 126 or 127 and, where the errno misleads, a hint
 */
int sb_exec_explain(const char *program, int code, struct sb_err *err)
{
	_cleanup_fd_ int fd = open(program, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	char head[256] = "";
	ssize_t n = fd < 0 ? -1 : read(fd, head, sizeof(head) - 1);
	struct stat st;

	sb_err_set(err, code, "execute '%s'", program);
	err->exit_code = code == ENOENT || code == ENOTDIR ? 127 : 126;
	if (fd >= 0 && fstat(fd, &st) == 0 && S_ISDIR(st.st_mode))
		return sb_err_hint(err, "it is a directory");
	if (code == EACCES)
		return sb_err_hint(err,
				   "is it executable, and are its directories open to the user?");
	if (n >= 2 && !memcmp(head, "#!", 2))
		explain_script(head, err);
	else if (n >= SELFMAG && !memcmp(head, ELFMAG, SELFMAG))
		explain_elf(head, (size_t)n, code, err);
	else if (code == ENOEXEC)
		sb_err_hint(err, "it is neither a binary nor a script with '#!'");
	else if (code == ENOENT && !strchr(program, '/'))
		sb_err_hint(err, "it is in no directory of PATH");
	return -code;
}
