/* SPDX-License-Identifier: Apache-2.0 */
/* seccomp.c - system call filter of sandboxes */
#include "runtime/container/seccomp.h"

#include <errno.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/filter.h>
#include <linux/seccomp.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/err.h"

static const struct sock_filter default_insns[] = {
#if defined(__x86_64__) && !defined(__ILP32__)
#include "seccomp_default_x86_64.inc"
#elif defined(__aarch64__) && !defined(__ILP32__)
#include "seccomp_default_aarch64.inc"
#else
#error "no default seccomp profile for this architecture: extend seccomp_gen.c"
#endif
};

/**
 * sb_seccomp_default_load() - Confine the calling thread, for good, to the default profile
 *
 * Needs no_new_privs (the way sandboxes take) or CAP_SYS_ADMIN. Inherited over fork and exec, so
 * the last thing to do before exec: afterwards this thread cannot mount, enter namespaces or open
 * most kinds of sockets. Success is async-signal-safe and allocates nothing.
 *
 * Return: 0, -EACCES (neither no_new_privs nor the capability), or -ENOSYS, -EINVAL (kernel without
 * seccomp filters)
 */
int sb_seccomp_default_load(struct sb_err *err)
{
	const struct sock_fprog prog = {
		.len = SB_ARRAY_SIZE(default_insns),
		.filter = (struct sock_filter *)default_insns, /* only read, by seccomp(2) */
	};

	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &prog) < 0)
		return sb_err_set(err, errno, "install the default seccomp filter");
	return 0;
}

/**
 * sb_seccomp_default_insns() - The default profile as BPF, for tests
 *
 * Return: sb_seccomp_default_len() instructions, static
 */
const struct sock_filter *sb_seccomp_default_insns(void)
{
	return default_insns;
}

/**
 * sb_seccomp_default_len() - Length of the default profile, for tests
 *
 * Return: number of instructions
 */
size_t sb_seccomp_default_len(void)
{
	return SB_ARRAY_SIZE(default_insns);
}
