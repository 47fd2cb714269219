/* SPDX-License-Identifier: Apache-2.0 */
/*
 * user.h - who a program in a container runs as
 */
#ifndef SB_CONTAINER_USER_H
#define SB_CONTAINER_USER_H

#include <limits.h>
#include <stddef.h>
#include <sys/types.h>

struct sb_err;

/* Groups of one user, the primary one included. Bounded, as /etc/group is hostile (CVE-2026-47262).
 */
#define SB_USER_GROUPS_MAX 64

/**
 * struct sb_user - a resolved user; ids are those inside the container
 * @uid:	user id
 * @gid:	primary group id
 * @groups:	what setgroups(2) is to set: @gid first, then the supplementary groups
 * @n_groups:	how many, at least 1
 * @home:	home directory, absolute; "/" if /etc/passwd does not tell
 */
struct sb_user {
	uid_t uid;
	gid_t gid;
	gid_t groups[SB_USER_GROUPS_MAX];
	size_t n_groups;
	char home[PATH_MAX];
};

int sb_user_resolve(int rootfd, const char *spec, struct sb_user *ret, struct sb_err *err);

#endif /* SB_CONTAINER_USER_H */
