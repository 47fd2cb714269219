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
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/path.h"
#include "runtime/container/cgroup.h"
#include "runtime/container/cgroup_limits.h"

#define CPU_PERIOD_US 100000 /* the kernel's default: Documentation/scheduler/sched-bwc.rst */

static const char *const controllers[] = { "memory", "pids", "cpu" };
static_assert(SB_ARRAY_SIZE(controllers) == SB_CGROUP_CONTROLLERS, "controllers[] and enum differ");

static int put_number(int dirfd, const char *file, uint64_t value, struct sb_err *err)
{
	char text[32];

	snprintf(text, sizeof(text), "%" PRIu64, value);
	return sb_put_at(dirfd, file, text, err);
}

static int set_limits(const struct sb_cgroup_limits *limits, const struct sb_cgroup *cg,
		      struct sb_err *err)
{
	struct sb_err ignored = SB_ERR_INIT;
	int memory = cg->limit_fds[SB_CGROUP_MEMORY];
	int cpu = cg->limit_fds[SB_CGROUP_CPU];

	if (limits->memory_bytes) {
		if (put_number(memory, "memory.limit_in_bytes", limits->memory_bytes, err) < 0)
			return -err->code;
		/* Not there without swap accounting: then there is no swap to use. */
		(void)put_number(memory, "memory.memsw.limit_in_bytes", limits->memory_bytes,
				 &ignored);
	}
	if (limits->pids &&
	    put_number(cg->limit_fds[SB_CGROUP_PIDS], "pids.max", limits->pids, err) < 0)
		return -err->code;
	if (!limits->cpu_milli)
		return 0;
	if (put_number(cpu, "cpu.cfs_period_us", CPU_PERIOD_US, err) < 0)
		return -err->code;
	return put_number(cpu, "cpu.cfs_quota_us",
			  (uint64_t)limits->cpu_milli * CPU_PERIOD_US / 1000, err);
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
	char buf[128];
	const char *p;

	if (sb_read_small_at(cg->limit_fds[SB_CGROUP_MEMORY], "memory.oom_control", buf,
			     sizeof(buf)) < 0)
		return -1;
	p = strstr(buf, "oom_kill "); /* Linux 4.13 */
	return p ? strtoll(p + strlen("oom_kill "), NULL, 10) : -1;
}

const struct sb_cgroup_backend sb_cgroup_v1 = {
	.up = up,
	.join = join,
	.down = down,
	.oom_kills = oom_kills,
};
