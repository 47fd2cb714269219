/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sandbox.h - a sandbox from birth to grave: the step table, and what starts it
 */
#ifndef SB_SANDBOX_SANDBOX_H
#define SB_SANDBOX_SANDBOX_H

#include <stdbool.h>
#include <stdint.h>

#include "net/net.h"
#include "runtime/container/cgroup.h"
#include "runtime/container/process.h"
#include "runtime/sandbox/home.h"
#include "runtime/sandbox/record.h"

struct sb_err;
struct sb_image;

#define SB_TTL_DEFAULT_MS (10 * 60 * 1000) /* the product's default lifetime */
#define SB_PIDS_DEFAULT   4096             /* a fork bomb must not exhaust the host */
#define SB_MEMORY_MIN     (1 << 20)        /* process 1 and one small program fit */
#define SB_STOP_GRACE_MS  10000            /* docker stop */
#define SB_INIT_LEAF      "init"
#define SB_EXEC_LEAF      "exec-" /* and the number of a session */

/**
 * struct sb_create - how a sandbox is to be; everything is borrowed
 * @name:	name; NULL for none
 * @env:	variables on top of the image's
 * @cwd:	working directory instead of the image's; NULL for that
 * @user:	user instead of the image's; NULL for that
 * @limits:	what it may use
 * @ttl_ms:	lifetime; 0 = unlimited
 * @title:	where the caller's command line lies: the monitor overwrites it, as every process
 *		inside can read it from the children of the monitor (environment, paths of the host)
 * @title_len:	its length
 * @is_run:	it ends with its first session
 * @remove:	it removes itself when it ends
 */
struct sb_create {
	const char *name;
	const struct sb_strv *env;
	const char *cwd;
	const char *user;
	struct sb_cgroup_limits limits;
	uint64_t ttl_ms;
	char *title;
	size_t title_len;
	bool is_run;
	bool remove;
};

/**
 * struct sb_sandbox - a sandbox as its monitor, or garbage collection, holds it
 * @home:	where it belongs; borrowed
 * @image:	image it is made from, locked until the writable layer names it; borrowed, NULL for
 *		garbage collection
 * @create:	how it is to be; likewise
 * @rec:	what is known about it
 * @plan:	its attachment to the network
 * @net:	connection to the firewall: closed last of all
 * @state_fd:	<run>/<id>
 * @lock_fd:	the lock in it
 * @data_fd:	<store>/sandboxes/<id>
 * @logs_fd:	logs/ in it, made for the first session that has logs; else -1
 * @cgroup:	its groups
 * @init_leaf_fd: leaf of process 1
 * @userns_fd:	its user namespace
 * @helper:	short-lived child that made it, to be reaped; 0 for none
 * @init:	process 1
 * @pts_fd:	its devpts instance
 * @listen_fd:	control socket
 */
struct sb_sandbox {
	const struct sb_home *home;
	struct sb_image *image;
	const struct sb_create *create;
	struct sb_record rec;
	struct sb_net_plan plan;
	struct sb_net net;
	int state_fd;
	int lock_fd;
	int data_fd;
	int logs_fd;
	struct sb_cgroup cgroup;
	int init_leaf_fd;
	int userns_fd;
	pid_t helper;
	struct sb_process init;
	int pts_fd;
	int listen_fd;
};

int sb_sandbox_init(struct sb_sandbox *sb, const struct sb_home *home, const char *id,
		    struct sb_err *err);
int sb_sandbox_up(struct sb_sandbox *sb, struct sb_err *err);
void sb_sandbox_end(struct sb_sandbox *sb);
void sb_sandbox_remove(struct sb_sandbox *sb);
void sb_sandbox_discard(struct sb_sandbox *sb);

int sb_sandbox_start(const struct sb_home *home, const struct sb_create *create,
		     struct sb_image *image, char ret_id[SB_ID_LEN], struct sb_err *err);
void sb_monitor_run(struct sb_sandbox *sb, int client_fd) __attribute__((noreturn));

#endif /* SB_SANDBOX_SANDBOX_H */
