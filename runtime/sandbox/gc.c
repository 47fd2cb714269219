/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gc.c - remove what sandboxes have left behind whose monitor was killed
 *
 * DOC: Theory of operation
 *
 * A sandbox is alive while its monitor holds its lock. Under the home's exclusive lock no sandbox
 * is between making its directory and taking that lock, so a directory without a holder is garbage,
 * unless its record says "stopped". Objects that name a sandbox without a directory are garbage
 * too: the directory is made first and removed last.
 *
 * Only this home's objects are looked at: its cgroup parent, its two directories, and addresses of
 * its store's prefix that are of no sandbox in that store. The images of the store come last, after
 * the home's lock is released: who makes a sandbox takes the store's lock before the home's.
 */
#include "runtime/sandbox/gc.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/err.h"
#include "runtime/base/log.h"
#include "runtime/base/path.h"
#include "runtime/sandbox/sandbox.h"

/**
 * struct collection - one run of garbage collection
 * @home:	home
 * @result:	what was removed so far
 * @living:	sandboxes that stay
 * @prefix:	address prefix of the home
 */
struct collection {
	const struct sb_home *home;
	struct sb_gc_result result;
	unsigned int living;
	struct in6_addr prefix;
};

static bool has_directory(const struct sb_home *home, const char *id)
{
	return faccessat(home->run_fd, id, F_OK, 0) == 0;
}

static void remove_all(const struct sb_home *home, const char *id)
{
	struct sb_err err = SB_ERR_INIT;
	struct sb_sandbox sb;

	if (sb_sandbox_init(&sb, home, id, &err) < 0) {
		sb_warn("remove sandbox '%s': %s", id, err.msg);
		return;
	}
	sb_sandbox_end(&sb);
	sb_sandbox_remove(&sb);
	sb_sandbox_discard(&sb);
}

/**
 * sb_gc_remove() - Remove a sandbox that is not running
 * @home:	home
 * @id:		valid id
 *
 * Return: 0 (also if another has just removed it), or a negative errno value (-EBUSY: it is
 * running, or being made)
 */
int sb_gc_remove(const struct sb_home *home, const char *id, struct sb_err *err)
{
	_cleanup_record_ struct sb_record rec = SB_RECORD_INIT;
	_cleanup_fd_ int gate = -1;
	bool has_ended =
		sb_record_load(home, id, &rec, err) == 0 && rec.status == SB_STATUS_STOPPED;
	int ret;

	/* Once it is recorded as stopped, its monitor is at most on its way out: wait for that. */
	ret = sb_home_await_end(home, id, has_ended, err);
	if (ret == -ENOENT) {
		/* A directory without a lock: being made, or left by a create that was killed. */
		gate = sb_home_lock(home, LOCK_EX, err);
		if (gate < 0)
			return -err->code;
		if (sb_home_is_alive(home, id))
			return sb_err_refuse(err, EBUSY, "sandbox '%s' is running", id);
	} else if (ret < 0) {
		return ret;
	}
	remove_all(home, id);
	return 0;
}

static int collect_sandbox(const struct sb_home *home, const char *id, void *arg)
{
	_cleanup_record_ struct sb_record rec = SB_RECORD_INIT;
	struct sb_err err = SB_ERR_INIT;
	struct collection *c = arg;

	if (sb_home_is_alive(home, id) ||
	    (sb_record_load(home, id, &rec, &err) == 0 && rec.status == SB_STATUS_STOPPED)) {
		c->living++;
		return 0;
	}
	remove_all(home, id);
	c->result.sandboxes++;
	return 0;
}

static int collect_cgroup(const char *name, void *arg)
{
	struct collection *c = arg;

	if (!sb_id_is_valid(name) || has_directory(c->home, name))
		return 0;
	if (sb_cgroup_destroy(c->home->cgroup_parent, name) == 0)
		c->result.objects++;
	return 0;
}

/* Links in names/ and ids/ whose sandbox is gone. */
static void collect_links(struct collection *c, const char *kind)
{
	_cleanup_dir_ DIR *dir = sb_opendir_at(c->home->run_fd, kind);
	struct dirent *e;

	while (dir && (e = readdir(dir))) {
		char id[SB_ID_LEN + 1] = "";

		if (readlinkat(dirfd(dir), e->d_name, id, sizeof(id) - 1) <= 0 ||
		    (sb_id_is_valid(id) && has_directory(c->home, id)))
			continue;
		if (unlinkat(dirfd(dir), e->d_name, 0) == 0)
			c->result.objects++;
	}
}

/* Whether files of a sandbox may go: it has no directory, or they were removed already. */
static bool is_garbage(const struct collection *c, const char *name)
{
	size_t prefix = strlen(SB_HOME_GONE);

	if (!strncmp(name, SB_HOME_GONE, prefix))
		return sb_id_is_valid(name + prefix);
	return sb_id_is_valid(name) && !has_directory(c->home, name);
}

/* Writable layers and logs whose sandbox is gone: also those from before a reboot. */
static void collect_data(struct collection *c)
{
	_cleanup_dir_ DIR *dir = sb_opendir_at(c->home->store_fd, c->home->data_dir);
	struct dirent *e;

	while (dir && (e = readdir(dir)))
		if (is_garbage(c, e->d_name) && sb_remove_tree_at(dirfd(dir), e->d_name) == 0)
			c->result.objects++;
}

static int collect_address(const struct in6_addr *addr, void *arg)
{
	struct collection *c = arg;
	struct sb_net_plan plan;
	char id[SB_ID_LEN];
	uint64_t number = 0;

	for (int i = 8; i < 16; i++)
		number = number << 8 | addr->s6_addr[i];
	sb_net_plan(&c->prefix, number, &plan);
	snprintf(id, sizeof(id), "%016jx", (uintmax_t)number);
	if (memcmp(&plan.addr, addr, sizeof(*addr)) != 0 || has_directory(c->home, id) ||
	    sb_home_has_data(c->home, id))
		return 0;
	sb_net_destroy(&plan);
	c->result.objects++;
	return 0;
}

/* All that is no directory of a sandbox: needs every one of them to be known. */
static int collect_objects(struct collection *c, struct sb_err *err)
{
	if (sb_net_prefix(c->home->store_fd, &c->prefix, err) < 0)
		return -err->code;
	(void)sb_cgroup_for_each(c->home->cgroup_parent, collect_cgroup, c);
	(void)sb_net_for_each_address(collect_address, c, err);
	collect_links(c, "names");
	collect_links(c, "ids");
	collect_data(c);
	if (c->living == 0)
		sb_cgroup_remove_parent(c->home->cgroup_parent);
	c->result.network = c->living == 0 && !sb_home_store_is_in_use(c->home);
	if (c->result.network)
		sb_net_host_down(&c->prefix);
	return 0;
}

static int collect_images(struct collection *c, struct sb_err *err)
{
	const struct sb_collection how = { .store_dirfd = c->home->store_fd };
	struct sb_err why = SB_ERR_INIT;
	int ret = sb_collect(&how, &c->result.images, &why);

	c->result.store_busy = ret == -EBUSY;
	if (ret == -EPROTO) {
		(void)sb_err_prefix(&why, "nothing is removed from the store");
		c->result.error = why;
		return 0;
	}
	if (ret < 0 && ret != -EBUSY)
		*err = why;
	return c->result.store_busy ? 0 : ret;
}

/**
 * sb_gc() - Remove everything that belongs to no sandbox
 * @home:	home
 * @opportunistic: only sandboxes, and only if nobody else is at it: what every command can afford
 * @ret:	what was removed; written on success only
 *
 * Safe at any time, beside any other command. The full run also removes what nothing needs from the
 * store; without any sandbox left, it takes the host's part of the network down.
 *
 * Return: 0, also if an image cannot be read so that nothing was removed from the store, or a
 * negative errno value
 */
int sb_gc(const struct sb_home *home, bool opportunistic, struct sb_gc_result *ret,
	  struct sb_err *err)
{
	struct collection c = { .home = home };
	_cleanup_fd_ int lock =
		sb_home_lock(home, opportunistic ? LOCK_EX | LOCK_NB : LOCK_EX, err);

	if (lock < 0)
		return opportunistic && err->code == EWOULDBLOCK ? 0 : -err->code;
	(void)sb_home_for_each(home, collect_sandbox, &c);
	if (!opportunistic) {
		if (collect_objects(&c, err) < 0)
			return -err->code;
		sb_close_fd(&lock);
		if (collect_images(&c, err) < 0)
			return -err->code;
	}
	*ret = c.result;
	return 0;
}
