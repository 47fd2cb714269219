/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cleanup.h - release local resources when they go out of scope
 *
 * Initialise every annotated variable where it is declared. Hand ownership on with sb_steal_fd() or
 * sb_steal_ptr(). Cleanups run on return only: never after exec(), _exit() or exit(). They are for
 * what dies with the process; objects of the host (cgroups, links, mounts) belong to the `down` of
 * a step.
 */
#ifndef SB_BASE_CLEANUP_H
#define SB_BASE_CLEANUP_H

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

static inline void sb_cleanup_fd(int *fd)
{
	int saved = errno;

	if (*fd >= 0)
		(void)close(*fd);
	errno = saved;
}

static inline void sb_cleanup_free(void *p)
{
	free(*(void **)p); /* glibc >= 2.33 preserves errno in free() */
}

static inline void sb_cleanup_dir(DIR **dir)
{
	int saved = errno;

	if (*dir)
		(void)closedir(*dir);
	errno = saved;
}

static inline int sb_steal_fd(int *fd)
{
	int ret = *fd;

	*fd = -1;
	return ret;
}

static inline void *sb_steal_ptr(void *pp)
{
	void *ret = *(void **)pp;

	*(void **)pp = NULL;
	return ret;
}

/* Close *fd and forget it, so that a cleanup or a second call finds nothing to do. */
static inline void sb_close_fd(int *fd)
{
	sb_cleanup_fd(fd);
	*fd = -1;
}

#define _cleanup_(fn)  __attribute__((cleanup(fn)))
#define _cleanup_fd_   _cleanup_(sb_cleanup_fd)
#define _cleanup_free_ _cleanup_(sb_cleanup_free)
#define _cleanup_dir_  _cleanup_(sb_cleanup_dir)

/* Type-checked: the result has the type of *pp. */
#define sb_steal_ptr(pp) ((__typeof__(*(pp)))(sb_steal_ptr)(pp))

#define SB_ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

#endif /* SB_BASE_CLEANUP_H */
