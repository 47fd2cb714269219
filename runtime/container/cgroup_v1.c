/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cgroup_v1.c - limits on a hybrid host, whose controllers are in v1 hierarchies
 *
 * A process joins by writing "0" into the "tasks" file itself: 12 µs, where a parent writing the
 * child's pid into cgroup.procs waits for an RCU grace period, 7 to 11 ms after an idle spell.
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/err.h"
#include "runtime/base/path.h"
#include "runtime/container/cgroup.h"
#include "runtime/container/cgroup_limits.h"

static const char *const controllers[] = { "memory", "pids", "cpu" };
static_assert(SB_ARRAY_SIZE(controllers) == SB_CGROUP_CONTROLLERS, "controllers[] and enum differ");

static int set_limits(const struct sb_cgroup_limits *limits, const struct sb_cgroup *cg,
		      struct sb_err *err)
{
	struct sb_err ignored = SB_ERR_INIT;
	int memory = cg->limit_fds[SB_CGROUP_MEMORY];
	int cpu = cg->limit_fds[SB_CGROUP_CPU];

	if (sb_cgroup_put(memory, "memory.limit_in_bytes", limits->memory_bytes, err) < 0 ||
	    sb_cgroup_put(cg->limit_fds[SB_CGROUP_PIDS], "pids.max", limits->pids, err) < 0)
		return -err->code;
	/* Not there without swap accounting: then there is no swap to use. */
	(void)sb_cgroup_put(memory, "memory.memsw.limit_in_bytes", limits->memory_bytes, &ignored);
	if (!limits->cpu_milli)
		return 0;
	if (sb_cgroup_put(cpu, "cpu.cfs_period_us", SB_CPU_PERIOD_US, err) < 0)
		return -err->code;
	return sb_cgroup_put(cpu, "cpu.cfs_quota_us",
			     (uint64_t)limits->cpu_milli * SB_CPU_PERIOD_US / 1000, err);
}

/* The first container of a boot: is the hierarchy there at all? */
static int make_parent(const char *controller, const char *parent, struct sb_err *err)
{
	char path[PATH_MAX];
	_cleanup_fd_ int fd = -1;

	snprintf(path, sizeof(path), "/sys/fs/cgroup/%s", controller);
	if (access(path, F_OK) < 0) {
		sb_err_refuse(err, errno, "no cgroup v1 hierarchy at %s", path);
		return sb_err_hint(err, "sbrun needs memory, pids and cpu");
	}
	snprintf(path, sizeof(path), "/sys/fs/cgroup/%s/%s", controller, parent);
	fd = sb_ensure_dir_at(AT_FDCWD, path, 0755, err);
	return fd < 0 ? -err->code : 0;
}

static int up(const char *parent, const char *name, const struct sb_cgroup_limits *limits,
	      struct sb_cgroup *cg, struct sb_err *err)
{
	for (int i = 0; i < SB_CGROUP_CONTROLLERS; i++) {
		char path[PATH_MAX];

		snprintf(path, sizeof(path), "/sys/fs/cgroup/%s/%s/%s", controllers[i], parent,
			 name);
		if (mkdir(path, 0755) < 0 && make_parent(controllers[i], parent, err) < 0)
			return -err->code;
		cg->limit_fds[i] = sb_ensure_dir_at(AT_FDCWD, path, 0755, err);
		if (cg->limit_fds[i] < 0)
			return -err->code;
		cg->tasks_fds[i] = openat(cg->limit_fds[i], "tasks", O_WRONLY | O_CLOEXEC);
		if (cg->tasks_fds[i] < 0)
			return sb_err_set(err, errno, "open '%s/tasks'", path);
	}
	return set_limits(limits, cg, err);
}

static int join(const struct sb_cgroup *cg, struct sb_err *err)
{
	for (int i = 0; i < SB_CGROUP_CONTROLLERS; i++)
		if (write(cg->tasks_fds[i], "0", 1) < 0)
			return sb_err_set(err, errno, "join the %s cgroup", controllers[i]);
	return 0;
}

static int down(const char *parent, const char *name)
{
	int ret = 0;

	for (int i = 0; i < SB_CGROUP_CONTROLLERS; i++) {
		char path[PATH_MAX];
		int n = snprintf(path, sizeof(path), "/sys/fs/cgroup/%s/%s", controllers[i],
				 parent);

		if (strcmp(name, ".") != 0)
			snprintf(path + n, sizeof(path) - (size_t)n, "/%s", name);
		if (rmdir(path) < 0 && errno != ENOENT)
			ret = -errno;
	}
	return ret;
}

static int64_t oom_kills(const struct sb_cgroup *cg)
{
	return sb_cgroup_count_oom_kills(cg->limit_fds[SB_CGROUP_MEMORY], "memory.oom_control");
}

const struct sb_cgroup_backend sb_cgroup_v1 = {
	.up = up,
	.join = join,
	.down = down,
	.oom_kills = oom_kills,
};
