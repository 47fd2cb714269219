/* SPDX-License-Identifier: Apache-2.0 */
/* cgroup_v2.c - limits on a host whose cgroup2 has the controllers */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/path.h"
#include "runtime/container/cgroup.h"
#include "runtime/container/cgroup_limits.h"

/* Say why the children of a group on the way to @parent cannot have the controllers. */
static int explain(const char *parent, struct sb_err *err)
{
	(void)sb_err_prefix(err, "enable cgroup controllers for '%s'", parent);
	if (err->code == EBUSY)
		return sb_err_hint(err, "processes live in a group above it, which is not the "
					"host's root: is this a container?");
	return sb_err_hint(err, "are memory, pids and cpu in cgroup.controllers?");
}

/*
 * Let the children of every group from the root to @parent have the controllers. Fails where a
 * process lives in one of those groups ("no internal process constraint", cgroup-v2.rst); the root
 * is exempt. Controllers that are enabled already stay.
 */
static int delegate(const char *parent, struct sb_err *err)
{
	_cleanup_fd_ int dir = sb_open_dir_at(AT_FDCWD, "/sys/fs/cgroup", err);
	const char *p = parent;

	for (;;) {
		size_t len = strcspn(p, "/");
		char name[256];
		int next;

		if (dir < 0)
			return -err->code;
		if (sb_put_at(dir, "cgroup.subtree_control", "+memory +pids +cpu", err) < 0)
			return explain(parent, err);
		if (len == 0)
			return 0;
		snprintf(name, sizeof(name), "%.*s", (int)len, p);
		next = sb_open_dir_at(dir, name, err);
		sb_close_fd(&dir);
		dir = next;
		p += len + (p[len] == '/');
	}
}

static int up(const char *parent, const char *name, const struct sb_cgroup_limits *limits,
	      struct sb_cgroup *cg, struct sb_err *err)
{
	struct sb_err ignored = SB_ERR_INIT;
	char quota[64];

	(void)name;
	/* The file is missing until the parent delegates; once per boot, so look before writing. */
	if (faccessat(cg->track_fd, "memory.max", F_OK, 0) < 0 && delegate(parent, err) < 0)
		return -err->code;
	if (sb_cgroup_put(cg->track_fd, "memory.max", limits->memory_bytes, err) < 0 ||
	    sb_cgroup_put(cg->track_fd, "pids.max", limits->pids, err) < 0)
		return -err->code;
	/* Not there without swap accounting (swapaccount=0): then there is no swap to use. */
	if (limits->memory_bytes)
		(void)sb_put_at(cg->track_fd, "memory.swap.max", "0", &ignored);
	if (!limits->cpu_milli)
		return 0;
	snprintf(quota, sizeof(quota), "%" PRIu64 " %d",
		 (uint64_t)limits->cpu_milli * SB_CPU_PERIOD_US / 1000, SB_CPU_PERIOD_US);
	return sb_put_at(cg->track_fd, "cpu.max", quota, err);
}

static int join(const struct sb_cgroup *cg, struct sb_err *err)
{
	(void)cg;
	(void)err;
	return 0; /* CLONE_INTO_CGROUP has put the process below the limits already */
}

static int down(const char *parent, const char *name)
{
	(void)parent;
	(void)name;
	return 0; /* the limits are part of the tracking group */
}

static int64_t oom_kills(const struct sb_cgroup *cg)
{
	return sb_cgroup_count_oom_kills(cg->track_fd, "memory.events");
}

const struct sb_cgroup_backend sb_cgroup_v2 = {
	.up = up,
	.join = join,
	.down = down,
	.oom_kills = oom_kills,
};
