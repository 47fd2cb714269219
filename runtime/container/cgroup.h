/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cgroup.h - the control groups of one container
 *
 * Two jobs, kept apart because hybrid hosts keep them in different hierarchies:
 *   tracking and killing   always cgroup2: <parent>/<name>/ with one leaf per process tree
 *   limits                 cgroup2 where it has the controllers, else the v1 hierarchies
 * The host's hierarchies are never remounted, and nothing outside <parent>/ is touched except, on
 * pure cgroup2, enabling controllers on the way down to it.
 */
#ifndef SB_CONTAINER_CGROUP_H
#define SB_CONTAINER_CGROUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sb_err;

enum sb_cgroup_layout {
	SB_CGROUP_V2,     /* one cgroup2 hierarchy at /sys/fs/cgroup with the controllers */
	SB_CGROUP_HYBRID, /* cgroup2 at /sys/fs/cgroup/unified, controllers in v1 beside it */
};

enum sb_cgroup_controller {
	SB_CGROUP_MEMORY,
	SB_CGROUP_PIDS,
	SB_CGROUP_CPU,
	SB_CGROUP_CONTROLLERS /* how many */
};

/**
 * struct sb_cgroup_limits - what one container may use
 * @memory_bytes:	memory, swap not on top of it; 0 = no limit
 * @pids:		processes and threads; 0 = no limit
 * @cpu_milli:		thousandths of a processor; 0 = no limit
 */
struct sb_cgroup_limits {
	uint64_t memory_bytes;
	uint64_t pids;
	uint32_t cpu_milli;
};

/**
 * struct sb_cgroup - an open container's groups
 * @layout:	how this host has its hierarchies
 * @track_fd:	directory of the container in cgroup2
 * @kill_fd:	its "cgroup.kill", open for writing
 * @limit_fds:	hybrid: directory of the container in each v1 hierarchy; else -1
 * @tasks_fds:	hybrid: their "tasks" files, open for writing; else -1
 */
struct sb_cgroup {
	enum sb_cgroup_layout layout;
	int track_fd;
	int kill_fd;
	int limit_fds[SB_CGROUP_CONTROLLERS];
	int tasks_fds[SB_CGROUP_CONTROLLERS];
};

#define SB_CGROUP_INIT                                                                     \
	{                                                                                  \
		.track_fd = -1, .kill_fd = -1, .limit_fds = { -1, -1, -1 }, .tasks_fds = { \
			-1,                                                                \
			-1,                                                                \
			-1                                                                 \
		}                                                                          \
	}

int sb_cgroup_layout(enum sb_cgroup_layout *ret, struct sb_err *err);
int sb_cgroup_create(const char *parent, const char *name, const struct sb_cgroup_limits *limits,
		     struct sb_cgroup *ret, struct sb_err *err);
int sb_cgroup_open(const char *parent, const char *name);
void sb_cgroup_close(struct sb_cgroup *cg);
int sb_cgroup_destroy(const char *parent, const char *name);
int sb_cgroup_for_each(const char *parent, int (*fn)(const char *name, void *arg), void *arg);
void sb_cgroup_remove_parent(const char *parent);

int sb_cgroup_leaf_create(const struct sb_cgroup *cg, const char *leaf, struct sb_err *err);
int sb_cgroup_leaf_remove(const struct sb_cgroup *cg, const char *leaf);
size_t sb_cgroup_prune(const struct sb_cgroup *cg);
int sb_cgroup_join(const struct sb_cgroup *cg, struct sb_err *err);
int sb_cgroup_kill(int dirfd);
int sb_cgroup_kill_all(const struct sb_cgroup *cg);
bool sb_cgroup_is_populated(int dirfd);
int64_t sb_cgroup_oom_kills(const struct sb_cgroup *cg);

#endif /* SB_CONTAINER_CGROUP_H */
