/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bringup.c - the steps that make a sandbox, and undo it
 *
 * DOC: Theory of operation
 *
 * Two tables. `kept` is what stays after a sandbox has ended, until it is removed: its record, its
 * name, its writable layer and logs. `running` is what lives with its processes. Every name and
 * number on the host is computed from the id alone, and every `down` works without anything that
 * its `up` left in memory. So the same two tables, downwards, serve a failed create, `stop`, `rm`
 * and garbage collection after kill -9; and since the record is the first row, whatever a create
 * that was killed has left is found by the directory <run>/<id>.
 *
 * Processes are killed before the network is taken down: the veth pair dies with its namespace,
 * asynchronously and for free, where deleting it costs 16 ms of waiting for RCU.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "images/image.h"
#include "images/store.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/err.h"
#include "runtime/base/log.h"
#include "runtime/base/path.h"
#include "runtime/base/program.h"
#include "runtime/base/sys.h"
#include "runtime/container/idmap.h"
#include "runtime/container/rootfs.h"
#include "runtime/container/steps.h"
#include "runtime/container/sync.h"
#include "runtime/sandbox/sandbox.h"

/* ---- kept: record, name, writable layer ---------------------------------------------------- */

static int up_record(void *ctx, struct sb_err *err)
{
	struct sb_sandbox *sb = ctx;
	const struct sb_home *home = sb->home;
	_cleanup_fd_ int gate = sb_home_lock(home, LOCK_SH, err);

	if (gate < 0)
		return -err->code;
	if (mkdirat(home->run_fd, sb->rec.id, 0700) < 0)
		return sb_err_set(err, errno, "make '%s/%s'", home->run_path, sb->rec.id);
	sb->state_fd = sb_open_dir_at(home->run_fd, sb->rec.id, err);
	if (sb->state_fd < 0)
		return -err->code;
	sb->lock_fd = sb_home_hold(sb->state_fd, err);
	if (sb->lock_fd < 0)
		return -err->code;
	return sb_record_save(sb->state_fd, &sb->rec, err);
}

static void down_record(void *ctx)
{
	struct sb_sandbox *sb = ctx;
	int ret;

	if (sb->create && sb->state_fd < 0)
		return; /* never made: another sandbox has this id */
	ret = sb_remove_tree_at(sb->home->run_fd, sb->rec.id);
	if (ret < 0)
		sb_warn("remove '%s/%s': %s", sb->home->run_path, sb->rec.id, strerror(-ret));
}

static int up_name(void *ctx, struct sb_err *err)
{
	struct sb_sandbox *sb = ctx;

	if (!sb->rec.name[0])
		return 0;
	return sb_home_take_name(sb->home, sb->rec.name, sb->rec.id, err);
}

static void down_name(void *ctx)
{
	struct sb_sandbox *sb = ctx;

	sb_home_release(sb->home, "names", sb->rec.id);
}

/*
 * The link keeps the image in the store for as long as the sandbox has files there; until now the
 * lock of the store did.
 */
static int up_data(void *ctx, struct sb_err *err)
{
	struct sb_sandbox *sb = ctx;
	char path[64], manifest[SB_DIGEST_SIZE];

	snprintf(path, sizeof(path), "%s/%s", sb->home->data_dir, sb->rec.id);
	if (mkdirat(sb->home->store_fd, path, 0700) < 0)
		return sb_err_set(err, errno, "make '%s/%s'", sb->home->store_path, path);
	sb->data_fd = sb_open_dir_at(sb->home->store_fd, path, err);
	if (sb->data_fd < 0)
		return -err->code;
	sb_digest_file_name(sb->image->digest, manifest);
	if (symlinkat(manifest, sb->data_fd, SB_STORE_IMAGE_LINK) < 0)
		return sb_err_set(err, errno, "make '%s/%s/%s'", sb->home->store_path, path,
				  SB_STORE_IMAGE_LINK);
	sb_image_unlock(sb->image);
	return 0;
}

/*
 * Out of sight at once, so that nobody finds a half of it. To delete the files takes milliseconds
 * on a disk: the monitor does it after its last answer, see sb_sandbox_discard().
 */
static void down_data(void *ctx)
{
	struct sb_sandbox *sb = ctx;
	char from[80], to[96];

	snprintf(from, sizeof(from), "%s/%s", sb->home->data_dir, sb->rec.id);
	snprintf(to, sizeof(to), "%s/" SB_HOME_GONE "%s", sb->home->data_dir, sb->rec.id);
	if (renameat(sb->home->store_fd, from, sb->home->store_fd, to) < 0 && errno != ENOENT)
		sb_warn("remove '%s/%s': %s", sb->home->store_path, from, strerror(errno));
}

/* ---- running: ids, groups, processes, network, control socket ------------------------------- */

/* Reap a child; 0 = there is none. */
static void reap(pid_t *pid)
{
	if (*pid > 0)
		sb_reap(*pid);
	*pid = 0;
}

static int up_ids(void *ctx, struct sb_err *err)
{
	struct sb_sandbox *sb = ctx;

	if (sb_home_take_ids(sb->home, sb->rec.id, &sb->rec.id_base, err) < 0)
		return -err->code;
	sb->userns_fd = sb_idmap_create(sb->rec.id_base, &sb->helper, err);
	return sb->userns_fd < 0 ? -err->code : 0;
}

static void down_ids(void *ctx)
{
	struct sb_sandbox *sb = ctx;

	reap(&sb->helper);
	sb_close_fd(&sb->userns_fd);
	sb_home_release(sb->home, "ids", sb->rec.id);
}

static int up_cgroup(void *ctx, struct sb_err *err)
{
	struct sb_sandbox *sb = ctx;

	if (sb_cgroup_create(sb->home->cgroup_parent, sb->rec.id, &sb->rec.limits, &sb->cgroup,
			     err) < 0)
		return -err->code;
	sb->init_leaf_fd = sb_cgroup_leaf_create(&sb->cgroup, SB_INIT_LEAF, err);
	return sb->init_leaf_fd < 0 ? -err->code : 0;
}

static void down_cgroup(void *ctx)
{
	struct sb_sandbox *sb = ctx;
	int ret;

	sb_close_fd(&sb->init_leaf_fd);
	sb_cgroup_close(&sb->cgroup);
	ret = sb_cgroup_destroy(sb->home->cgroup_parent, sb->rec.id);
	if (ret < 0)
		sb_warn("remove cgroup '%s/%s': %s", sb->home->cgroup_parent, sb->rec.id,
			strerror(-ret));
}

/* Taken down after the processes, with which the link dies. */
static void down_firewall(void *ctx)
{
	struct sb_sandbox *sb = ctx;

	if (sb->net.fd >= 0)
		sb_net_dismiss(&sb->net, &sb->plan);
	else /* garbage collection: whatever may have happened, be sure */
		sb_net_destroy(&sb->plan);
}

/* So that a failure from here on can undo what the network adds. */
static int up_firewall(void *ctx, struct sb_err *err)
{
	struct sb_sandbox *sb = ctx;

	return sb_net_open(&sb->net, err);
}

static int start_init(struct sb_sandbox *sb, const struct sb_rootfs *fs, struct sb_err *err)
{
	char path[PATH_MAX];
	_cleanup_fd_ int program = -1;
	struct sb_rootfs_mounts mounts;
	struct sb_launch l = { .rootfs = fs,
			       .mounts = &mounts,
			       .cgroup = &sb->cgroup,
			       .leaf_fd = sb->init_leaf_fd,
			       .hostname = sb->rec.hostname };
	int ret;

	if (sb_program_find("sbrun-init", path, sizeof(path), err) < 0)
		return -err->code;
	program = open(path, O_PATH | O_CLOEXEC);
	if (program < 0)
		return sb_err_set(err, errno, "open '%s'", path);
	l.program_fd = program;
	if (sb_rootfs_open(fs, &mounts, err) < 0)
		return -err->code;
	ret = sb_launch(&l, &sb->init, err);
	sb_rootfs_close(&mounts);
	return ret;
}

static void down_processes(void *ctx)
{
	struct sb_sandbox *sb = ctx;

	sb_close_fd(&sb->pts_fd);
	if (sb->init.pidfd < 0)
		return;
	(void)sb_pidfd_send_signal(sb->init.pidfd, SIGKILL);
	reap(&sb->init.pid);
	sb_process_close(&sb->init);
}

static int up_processes(void *ctx, struct sb_err *err)
{
	struct sb_sandbox *sb = ctx;
	_cleanup_fd_ int layers = sb_open_dir_at(sb->home->store_fd, "layers", err);
	char scratch[PATH_MAX], hostname[SB_NAME_LEN + 1], hosts[512], resolv[256];
	char gateway[INET6_ADDRSTRLEN];
	struct sb_rootfs fs = { .layers_fd = layers,
				.layers = sb->image->layers.v,
				.n_layers = sb->image->layers.n,
				.rw_fd = sb->data_fd,
				.scratch = scratch,
				.userns_fd = sb->userns_fd,
				.id_base = sb->rec.id_base,
				.cwd = sb->rec.cwd,
				.hostname = hostname,
				.hosts = hosts,
				.resolv = resolv };

	if (layers < 0)
		return -err->code;
	inet_ntop(AF_INET6, &sb->plan.gateway, gateway, sizeof(gateway));
	snprintf(scratch, sizeof(scratch), "%s/%s", sb->home->run_path, sb->rec.id);
	snprintf(hostname, sizeof(hostname), "%s\n", sb->rec.hostname);
	/* Both lines: with one of them getaddrinfo("localhost") fails for half of the servers. */
	snprintf(hosts, sizeof(hosts),
		 "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n%s\t%s\n",
		 sb->rec.address, sb->rec.hostname);
	snprintf(resolv, sizeof(resolv), "nameserver %s\noptions timeout:1 attempts:1\n", gateway);
	if (start_init(sb, &fs, err) < 0)
		return -err->code;
	sb->rec.init_pid = sb->init.pid;
	return 0;
}

/* Runs while process 1 builds its file system. */
static int up_network(void *ctx, struct sb_err *err)
{
	struct sb_sandbox *sb = ctx;
	char path[64];
	_cleanup_fd_ int netns = -1;

	snprintf(path, sizeof(path), "/proc/%d/ns/net", sb->init.pid);
	netns = open(path, O_RDONLY | O_CLOEXEC);
	if (netns < 0) { /* it has failed already: its own words say more */
		int code = errno;

		if (sb_sync_result(sb->init.sync_fd, err) < 0)
			return -err->code;
		return sb_err_set(err, code, "open '%s'", path);
	}
	return sb_net_create(&sb->net, &sb->plan, netns, err);
}

static int up_ready(void *ctx, struct sb_err *err)
{
	struct sb_sandbox *sb = ctx;
	_cleanup_fd_ int rootfd = -1;
	char path[64];

	if (sb_sync_result(sb->init.sync_fd, err) < 0)
		return -err->code;
	sb_close_fd(&sb->init.sync_fd);
	reap(&sb->helper);
	snprintf(path, sizeof(path), "/proc/%d/root", sb->init.pid);
	rootfd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (rootfd < 0)
		return sb_err_set(err, errno, "process 1 has ended: open '%s'", path);
	sb->pts_fd = sb_open_in_root(rootfd, "dev/pts", O_PATH | O_DIRECTORY, 0);
	return sb->pts_fd >= 0 ? 0 : sb_err_set(err, -sb->pts_fd, "open the terminals");
}

static int up_control(void *ctx, struct sb_err *err)
{
	struct sb_sandbox *sb = ctx;
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int n = snprintf(addr.sun_path, sizeof(addr.sun_path), "/proc/self/fd/%d/control",
			 sb->state_fd);

	sb->listen_fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (sb->listen_fd < 0 || n >= (int)sizeof(addr.sun_path) ||
	    bind(sb->listen_fd, (struct sockaddr *)&addr, sizeof(addr)) < 0 ||
	    fchmodat(sb->state_fd, "control", 0600, 0) < 0 || listen(sb->listen_fd, SOMAXCONN) < 0)
		return sb_err_set(err, errno, "make the control socket");
	return 0;
}

static void down_control(void *ctx)
{
	struct sb_sandbox *sb = ctx;
	char path[SB_ID_LEN + 16];

	sb_close_fd(&sb->listen_fd);
	snprintf(path, sizeof(path), "%s/control", sb->rec.id);
	(void)unlinkat(sb->home->run_fd, path, 0);
}

static const struct sb_step kept[] = {
	{ "record", up_record, down_record },
	{ "name", up_name, down_name },
	{ "writable layer", up_data, down_data },
};

static const struct sb_step running[] = {
	{ "user ids", up_ids, down_ids },
	{ "cgroup", up_cgroup, down_cgroup },
	{ "firewall", up_firewall, down_firewall },
	{ "processes", up_processes, down_processes },
	{ "network", up_network, NULL },
	{ "process 1", up_ready, NULL },
	{ "control socket", up_control, down_control },
};

/* ---- the tables in use ----------------------------------------------------------------------- */

/**
 * sb_sandbox_init() - Fill in all that follows from the id
 * @sb:		sandbox
 * @home:	borrowed for as long as @sb lives
 * @id:		valid id
 *
 * Return: 0, or a negative errno value
 */
int sb_sandbox_init(struct sb_sandbox *sb, const struct sb_home *home, const char *id,
		    struct sb_err *err)
{
	struct in6_addr prefix;

	if (sb_net_prefix(home->store_fd, &prefix, err) < 0)
		return -err->code;
	*sb = (struct sb_sandbox){
		.home = home,
		.rec = SB_RECORD_INIT,
		.net = SB_NET_INIT,
		.state_fd = -1,
		.lock_fd = -1,
		.data_fd = -1,
		.logs_fd = -1,
		.cgroup = SB_CGROUP_INIT,
		.init_leaf_fd = -1,
		.userns_fd = -1,
		.init = SB_PROCESS_INIT,
		.pts_fd = -1,
		.listen_fd = -1,
	};
	snprintf(sb->rec.id, sizeof(sb->rec.id), "%s", id);
	sb_net_plan(&prefix, sb_id_number(id), &sb->plan);
	inet_ntop(AF_INET6, &sb->plan.addr, sb->rec.address, sizeof(sb->rec.address));
	return 0;
}

/**
 * sb_sandbox_up() - Make the sandbox
 * @sb:		initialised sandbox with @image, @create and the wanted parts of @rec
 *
 * Needs root. The caller becomes its monitor: the sandbox dies with it.
 *
 * Return: 0, or a negative errno value with everything undone
 */
int sb_sandbox_up(struct sb_sandbox *sb, struct sb_err *err)
{
	int ret;

	if (sb_steps_up(kept, SB_ARRAY_SIZE(kept), sb, err) < 0)
		return -err->code;
	ret = sb_steps_up(running, SB_ARRAY_SIZE(running), sb, err);
	if (ret < 0)
		sb_steps_down(kept, SB_ARRAY_SIZE(kept), sb);
	return ret;
}

/**
 * sb_sandbox_end() - End all that lives with the processes; record, logs and files stay
 * @sb:		sandbox, living or left behind by another process
 */
void sb_sandbox_end(struct sb_sandbox *sb)
{
	sb_steps_down(running, SB_ARRAY_SIZE(running), sb);
}

/**
 * sb_sandbox_remove() - Remove what stays of a sandbox that has ended
 * @sb:		sandbox after sb_sandbox_end()
 */
void sb_sandbox_remove(struct sb_sandbox *sb)
{
	sb_steps_down(kept, SB_ARRAY_SIZE(kept), sb);
}

/**
 * sb_sandbox_discard() - Delete the files of a sandbox that was removed
 * @sb:		sandbox after sb_sandbox_remove(), or after sb_sandbox_up() failed
 *
 * What a killed process leaves undone is done by garbage collection.
 */
void sb_sandbox_discard(struct sb_sandbox *sb)
{
	_cleanup_fd_ int dir =
		openat(sb->home->store_fd, sb->home->data_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	char name[32];
	int ret;

	snprintf(name, sizeof(name), SB_HOME_GONE "%s", sb->rec.id);
	ret = dir < 0 ? -errno : sb_remove_tree_at(dir, name);
	if (ret < 0)
		sb_warn("remove '%s/%s/%s': %s", sb->home->store_path, sb->home->data_dir, name,
			strerror(-ret));
}
