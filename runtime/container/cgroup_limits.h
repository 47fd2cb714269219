/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cgroup_limits.h - the two ways to limit a container, behind one table of functions
 */
#ifndef SB_CONTAINER_CGROUP_LIMITS_H
#define SB_CONTAINER_CGROUP_LIMITS_H

#include <stdint.h>

struct sb_cgroup;
struct sb_cgroup_limits;
struct sb_err;

/**
 * struct sb_cgroup_backend - how one layout limits
 * @up:		set the limits of the container whose @track_fd is open; fill the v1 descriptors
 * @join:	let the calling, single-threaded process be limited
 * @down:	remove what @up made beside the tracking group; 0 or a negative errno value
 * @oom_kills:	how often the kernel killed for lack of memory, or -1 if it does not tell
 */
struct sb_cgroup_backend {
	int (*up)(const char *parent, const char *name, const struct sb_cgroup_limits *limits,
		  struct sb_cgroup *cg, struct sb_err *err);
	int (*join)(const struct sb_cgroup *cg, struct sb_err *err);
	int (*down)(const char *parent, const char *name);
	int64_t (*oom_kills)(const struct sb_cgroup *cg);
};

extern const struct sb_cgroup_backend sb_cgroup_v1;
extern const struct sb_cgroup_backend sb_cgroup_v2;

/* The kernel's default: Documentation/scheduler/sched-bwc.rst, admin-guide/cgroup-v2.rst. */
#define SB_CPU_PERIOD_US 100000

int sb_cgroup_put(int dirfd, const char *file, uint64_t value, struct sb_err *err);
int64_t sb_cgroup_count_oom_kills(int dirfd, const char *file);

#endif /* SB_CONTAINER_CGROUP_LIMITS_H */
