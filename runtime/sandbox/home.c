/* SPDX-License-Identifier: Apache-2.0 */
/* home.c - where a host keeps its sandboxes, and how they are found there */
#include "runtime/sandbox/home.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "images/store.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/err.h"
#include "runtime/base/path.h"
#include "runtime/container/idmap.h"

/* User ids for containers: systemd, docs/UIDS-GIDS.md, "Container UID ranges". */
#define IDS_FIRST 524288U
#define IDS_LAST  1879048191U
#define IDS_SLOTS ((IDS_LAST - IDS_FIRST + 1) / SB_IDMAP_SIZE)

/* FNV-1a, to tell the cgroups of several homes apart; nothing depends on it being strong. */
static uint32_t hash(const char *s)
{
	uint32_t h = 2166136261U;

	for (; *s; s++)
		h = (h ^ (unsigned char)*s) * 16777619U;
	return h;
}

/* Looking first spares the lock of the parent directory, which others may hold for long. */
static int need_dir(int dirfd, const char *name)
{
	if (faccessat(dirfd, name, F_OK, 0) == 0 || mkdirat(dirfd, name, 0700) == 0)
		return 0;
	return errno == EEXIST ? 0 : -1;
}

/**
 * sb_home_open() - Open a place with sandboxes, made if it is missing
 * @store_path:	absolute path of the store; borrowed for as long as @ret lives
 * @run_path:	absolute path of the state directory; likewise
 * @ret:	released with sb_home_close()
 *
 * Needs root. All directories are 0700: the files in them may be setuid and belong to anybody.
 *
 * Return: 0, or a negative errno value (-EPERM: not root)
 */
int sb_home_open(const char *store_path, const char *run_path, struct sb_home *ret,
		 struct sb_err *err)
{
	struct sb_home home = SB_HOME_INIT;
	char suffix[16] = "";

	if (geteuid() != 0) {
		sb_err_refuse(err, EPERM, "sandboxes need root");
		return sb_err_hint(err, "run sbrun as root, for example with sudo");
	}
	home.store_path = store_path;
	home.run_path = run_path;
	/* Homes may share a host, and even a store: each has its own groups and directory. */
	if (strcmp(run_path, SB_RUN_DEFAULT) != 0)
		snprintf(suffix, sizeof(suffix), "-%08x", hash(run_path));
	snprintf(home.cgroup_parent, sizeof(home.cgroup_parent), "sbrun%s", suffix);
	snprintf(home.data_dir, sizeof(home.data_dir), SB_STORE_SANDBOXES "%s", suffix);
	home.store_fd = sb_ensure_dir_at(AT_FDCWD, store_path, 0700, err);
	if (home.store_fd < 0)
		return -err->code;
	home.run_fd = sb_ensure_dir_at(AT_FDCWD, run_path, 0700, err);
	if (home.run_fd < 0) {
		sb_home_close(&home);
		return -err->code;
	}
	if (need_dir(home.run_fd, "names") < 0 || need_dir(home.run_fd, "ids") < 0 ||
	    need_dir(home.store_fd, home.data_dir) < 0) {
		sb_err_set(err, errno, "make the directories of '%s'", run_path);
		sb_home_close(&home);
		return -err->code;
	}
	*ret = home;
	return 0;
}

/**
 * sb_home_close() - Close the descriptors
 * @home:	home, also half-open
 */
void sb_home_close(struct sb_home *home)
{
	sb_close_fd(&home->store_fd);
	sb_close_fd(&home->run_fd);
}

/**
 * sb_home_lock() - Keep garbage collection and the making of sandboxes apart
 * @home:	home
 * @operation:	LOCK_SH or LOCK_EX, with LOCK_NB not to wait
 *
 * Return: a descriptor whose closing releases the lock, or a negative errno value (-EWOULDBLOCK)
 */
int sb_home_lock(const struct sb_home *home, int operation, struct sb_err *err)
{
	_cleanup_fd_ int fd = openat(home->run_fd, "lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	int ret;

	if (fd < 0)
		return sb_err_set(err, errno, "open '%s/lock'", home->run_path);
	do
		ret = flock(fd, operation);
	while (ret < 0 && errno == EINTR);
	if (ret < 0)
		return sb_err_set(err, errno, "lock '%s/lock'", home->run_path);
	return sb_steal_fd(&fd);
}

/**
 * sb_id_is_valid() - Whether a word has the form of a sandbox id
 * @text:	word
 *
 * Return: true for exactly 16 lower-case hexadecimal digits
 */
bool sb_id_is_valid(const char *text)
{
	return strlen(text) == SB_ID_LEN - 1 && strspn(text, "0123456789abcdef") == SB_ID_LEN - 1;
}

/**
 * sb_id_number() - The number that an id writes down
 * @id:		valid id
 *
 * Return: the interface identifier of the sandbox's address
 */
uint64_t sb_id_number(const char *id)
{
	return strtoull(id, NULL, 16);
}

/* Find the only sandbox whose id begins with @prefix. */
static int resolve_prefix(const struct sb_home *home, const char *prefix, char ret_id[SB_ID_LEN],
			  struct sb_err *err)
{
	_cleanup_dir_ DIR *dir = sb_opendir_at(home->run_fd, ".");
	struct dirent *e;
	int found = 0;

	while (dir && (e = readdir(dir))) {
		if (!sb_id_is_valid(e->d_name) || strncmp(e->d_name, prefix, strlen(prefix)) != 0)
			continue;
		if (found++)
			return sb_err_refuse(err, EINVAL, "'%s' is the beginning of several ids",
					     prefix);
		memcpy(ret_id, e->d_name, SB_ID_LEN);
	}
	return found ? 0 : sb_err_refuse(err, ENOENT, "no sandbox '%s'", prefix);
}

/**
 * sb_home_resolve() - Find the sandbox that a user means
 * @home:	home
 * @text:	id, name, or the unique beginning of an id
 * @ret_id:	its id
 *
 * Return: 0, or a negative errno value (-ENOENT: none, -EINVAL: several or no such form)
 */
int sb_home_resolve(const struct sb_home *home, const char *text, char ret_id[SB_ID_LEN],
		    struct sb_err *err)
{
	char path[SB_NAME_LEN + 8], id[SB_ID_LEN];
	ssize_t n;

	if (!sb_name_is_valid(text))
		return sb_err_refuse(err, EINVAL, "'%s' cannot be an id or a name", text);
	snprintf(path, sizeof(path), "names/%s", text);
	n = readlinkat(home->run_fd, path, id, sizeof(id) - 1);
	if (n == SB_ID_LEN - 1) {
		id[n] = '\0';
		memcpy(ret_id, id, SB_ID_LEN);
		return 0;
	}
	if (strspn(text, "0123456789abcdef") != strlen(text) || strlen(text) >= SB_ID_LEN)
		return sb_err_refuse(err, ENOENT, "no sandbox '%s'", text);
	return resolve_prefix(home, text, ret_id, err);
}

/**
 * sb_home_for_each() - Visit every sandbox, living or not
 * @home:	home
 * @fn:		called with each id; stops the walk by returning non-zero
 * @arg:	handed to @fn
 *
 * Return: 0, what @fn returned, or a negative errno value
 */
int sb_home_for_each(const struct sb_home *home,
		     int (*fn)(const struct sb_home *home, const char *id, void *arg), void *arg)
{
	_cleanup_dir_ DIR *dir = sb_opendir_at(home->run_fd, ".");
	struct dirent *e;
	int ret = 0;

	if (!dir)
		return -errno;
	while (ret == 0 && (e = readdir(dir)))
		if (sb_id_is_valid(e->d_name))
			ret = fn(home, e->d_name, arg);
	return ret;
}

/**
 * sb_home_store_is_in_use() - Whether a store holds files of any sandbox, of whatever home
 * @home:	home
 *
 * Return: true if so, or if it cannot be read
 */
bool sb_home_store_is_in_use(const struct sb_home *home)
{
	_cleanup_dir_ DIR *dir = sb_opendir_at(home->store_fd, ".");
	struct dirent *e;

	while (dir && (e = readdir(dir))) {
		_cleanup_dir_ DIR *data = NULL;
		struct dirent *d;

		if (strncmp(e->d_name, SB_STORE_SANDBOXES, strlen(SB_STORE_SANDBOXES)) != 0)
			continue;
		data = sb_opendir_at(home->store_fd, e->d_name);
		while (data && (d = readdir(data)))
			if (sb_id_is_valid(d->d_name))
				return true;
	}
	return !dir;
}

/**
 * sb_home_has_data() - Whether a sandbox is in the store, of this home or of another that shares it
 * @home:	home
 * @id:		valid id
 *
 * Return: true if so, or if the store cannot be read
 */
bool sb_home_has_data(const struct sb_home *home, const char *id)
{
	_cleanup_dir_ DIR *dir = sb_opendir_at(home->store_fd, ".");
	struct dirent *e;

	while (dir && (e = readdir(dir))) {
		char path[300];

		if (strncmp(e->d_name, SB_STORE_SANDBOXES, strlen(SB_STORE_SANDBOXES)) != 0)
			continue;
		snprintf(path, sizeof(path), "%s/%s", e->d_name, id);
		if (faccessat(home->store_fd, path, F_OK, 0) == 0)
			return true;
	}
	return !dir;
}

static int open_lock(const struct sb_home *home, const char *id)
{
	char path[SB_ID_LEN + 8];

	snprintf(path, sizeof(path), "%s/lock", id);
	return openat(home->run_fd, path, O_RDONLY | O_CLOEXEC);
}

/**
 * sb_home_hold() - Become the monitor of a sandbox, as others see it
 * @state_fd:	directory of the sandbox in <run>
 *
 * An open file description lock (fcntl(2), Linux 3.15): unlike flock(2) it can be asked about
 * without taking it.
 *
 * Return: a descriptor that holds the lock until it is closed, or a negative errno value
 */
int sb_home_hold(int state_fd, struct sb_err *err)
{
	_cleanup_fd_ int fd = openat(state_fd, "lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	struct flock lock = { .l_type = F_WRLCK };

	if (fd < 0 || fcntl(fd, F_OFD_SETLK, &lock) < 0)
		return sb_err_set(err, errno, "lock the sandbox");
	return sb_steal_fd(&fd);
}

/**
 * sb_home_is_alive() - Whether a sandbox has a monitor
 * @home:	home
 * @id:		valid id
 *
 * The monitor holds a lock from before the first side effect to after the last: unlike a pid it
 * cannot be mistaken for another process, and the kernel drops it however the monitor ends.
 *
 * Return: true if so
 */
bool sb_home_is_alive(const struct sb_home *home, const char *id)
{
	_cleanup_fd_ int fd = open_lock(home, id);
	struct flock lock = { .l_type = F_RDLCK };

	return fd >= 0 && fcntl(fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
}

/**
 * sb_home_await_end() - Make sure that a sandbox has no monitor any more
 * @home:	home
 * @id:		valid id
 * @wait:	wait for a monitor that is on its way out
 *
 * Return: 0, or a negative errno value (-EBUSY: it has one; -ENOENT: there is nothing by that id,
 * or it is just being made)
 */
int sb_home_await_end(const struct sb_home *home, const char *id, bool wait, struct sb_err *err)
{
	_cleanup_fd_ int fd = open_lock(home, id);
	struct flock lock = { .l_type = F_RDLCK };
	int ret;

	if (fd < 0 && errno == ENOENT)
		return sb_err_refuse(err, ENOENT, "no sandbox '%s'", id);
	if (fd < 0)
		return sb_err_set(err, errno, "open the lock of '%s'", id);
	do
		ret = fcntl(fd, wait ? F_OFD_SETLKW : F_OFD_SETLK, &lock);
	while (ret < 0 && errno == EINTR);
	return ret < 0 ? sb_err_refuse(err, EBUSY, "sandbox '%s' is running", id) : 0;
}

/**
 * sb_home_take_name() - Give a name to a sandbox
 * @home:	home
 * @name:	name that sb_name_is_valid() accepts
 * @id:		id of the sandbox
 *
 * Return: 0, or a negative errno value (-EEXIST: the name is in use)
 */
int sb_home_take_name(const struct sb_home *home, const char *name, const char *id,
		      struct sb_err *err)
{
	char path[SB_NAME_LEN + 8], other[SB_ID_LEN] = "";

	snprintf(path, sizeof(path), "names/%s", name);
	if (symlinkat(id, home->run_fd, path) == 0)
		return 0;
	if (errno != EEXIST)
		return sb_err_set(err, errno, "take the name '%s'", name);
	if (readlinkat(home->run_fd, path, other, sizeof(other) - 1) < 0)
		other[0] = '\0';
	sb_err_refuse(err, EEXIST, "the name '%s' is in use", name);
	return sb_err_hint(err, "by sandbox %s; 'sbrun rm -f %s' removes it", other, name);
}

/**
 * sb_home_take_ids() - Give a range of user ids of its own to a sandbox
 * @home:	home
 * @id:		id of the sandbox
 * @ret_base:	first of SB_IDMAP_SIZE ids
 *
 * Return: 0, or a negative errno value (-EUSERS: all ranges are in use)
 */
int sb_home_take_ids(const struct sb_home *home, const char *id, uid_t *ret_base,
		     struct sb_err *err)
{
	uint32_t slot = hash(id) % IDS_SLOTS;

	for (uint32_t i = 0; i < IDS_SLOTS; i++, slot = (slot + 1) % IDS_SLOTS) {
		char path[32];

		snprintf(path, sizeof(path), "ids/%u", slot);
		if (symlinkat(id, home->run_fd, path) == 0) {
			*ret_base = IDS_FIRST + slot * SB_IDMAP_SIZE;
			return 0;
		}
		if (errno != EEXIST)
			return sb_err_set(err, errno, "take a range of user ids");
	}
	return sb_err_refuse(err, EUSERS, "all %u ranges of user ids are in use", IDS_SLOTS);
}

/**
 * sb_home_release() - Give back what a sandbox has taken
 * @home:	home
 * @kind:	"names" or "ids"
 * @id:		id of the sandbox
 */
void sb_home_release(const struct sb_home *home, const char *kind, const char *id)
{
	_cleanup_dir_ DIR *dir = sb_opendir_at(home->run_fd, kind);
	struct dirent *e;

	while (dir && (e = readdir(dir))) {
		char owner[SB_ID_LEN] = "";

		if (readlinkat(dirfd(dir), e->d_name, owner, sizeof(owner) - 1) > 0 &&
		    !strcmp(owner, id))
			(void)unlinkat(dirfd(dir), e->d_name, 0);
	}
}
