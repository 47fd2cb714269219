/* SPDX-License-Identifier: Apache-2.0 */
/*
 * home.h - where a host keeps its sandboxes, and how they are found there
 *
 *   <run>/<id>/          state of a sandbox: state.json, exec-<n>.json, control, lock, log
 *   <run>/names/<name>   symbolic link whose target is the id: taking a name is one atomic call
 *   <run>/ids/<slot>     likewise for the ranges of user ids
 *   <run>/lock           held shared while a sandbox directory is being made, exclusively by gc
 *   <store>/sandboxes/<id>/   its writable layer and logs, and a link that keeps its image
 *                             (sandboxes-<hash> for another <run>)
 *
 * <run> is on tmpfs and gone after a reboot, as the processes are; <store> stays.
 */
#ifndef SB_SANDBOX_HOME_H
#define SB_SANDBOX_HOME_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct sb_err;

#define SB_ID_LEN   17 /* 16 hexadecimal digits and NUL */
#define SB_NAME_LEN 64

#define SB_HOME_GONE \
	".gone-" /* what the name of a sandbox's files begins with once it is removed */

#define SB_STORE_DEFAULT "/var/lib/sbrun"
#define SB_RUN_DEFAULT   "/run/sbrun"

/**
 * struct sb_home - one place with sandboxes, open
 * @store_path:		path of the store; borrowed
 * @run_path:		path of the state directory; borrowed
 * @cgroup_parent:	the cgroup below which all its sandboxes are
 * @data_dir:		name of the directory in the store for their layers and logs
 * @store_fd:		the store
 * @run_fd:		the state directory
 */
struct sb_home {
	const char *store_path;
	const char *run_path;
	char cgroup_parent[32];
	char data_dir[32];
	int store_fd;
	int run_fd;
};

#define SB_HOME_INIT                          \
	{                                     \
		.store_fd = -1, .run_fd = -1, \
	}

int sb_home_open(const char *store_path, const char *run_path, struct sb_home *ret,
		 struct sb_err *err);
void sb_home_close(struct sb_home *home);
int sb_home_lock(const struct sb_home *home, int operation, struct sb_err *err);

int sb_home_resolve(const struct sb_home *home, const char *text, char ret_id[SB_ID_LEN],
		    struct sb_err *err);
int sb_home_for_each(const struct sb_home *home,
		     int (*fn)(const struct sb_home *home, const char *id, void *arg), void *arg);
bool sb_home_has_data(const struct sb_home *home, const char *id);
bool sb_home_store_is_in_use(const struct sb_home *home);
int sb_home_hold(int state_fd, struct sb_err *err);
bool sb_home_is_alive(const struct sb_home *home, const char *id);
int sb_home_await_end(const struct sb_home *home, const char *id, bool wait, struct sb_err *err);

int sb_home_take_name(const struct sb_home *home, const char *name, const char *id,
		      struct sb_err *err);
int sb_home_take_ids(const struct sb_home *home, const char *id, uid_t *ret_base,
		     struct sb_err *err);
void sb_home_release(const struct sb_home *home, const char *kind, const char *id);

bool sb_id_is_valid(const char *text);
uint64_t sb_id_number(const char *id);

#endif /* SB_SANDBOX_HOME_H */
