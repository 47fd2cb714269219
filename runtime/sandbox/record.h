/* SPDX-License-Identifier: Apache-2.0 */
/*
 * record.h - what is known about a sandbox, on disk: <run>/<id>/state.json
 */
#ifndef SB_SANDBOX_RECORD_H
#define SB_SANDBOX_RECORD_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "runtime/base/json.h"
#include "runtime/base/str.h"
#include "runtime/container/cgroup.h"
#include "runtime/sandbox/home.h"

struct sb_err;

#define SB_RECORD_VERSION 1
#define SB_EXEC_RECORD    "exec-" /* then the number of the session and ".json" */

enum sb_status {
	SB_STATUS_CREATING, /* being made; garbage if nobody holds the lock */
	SB_STATUS_RUNNING,  /* likewise garbage without its monitor */
	SB_STATUS_STOPPED,  /* ended in good order: its logs and files stay until it is removed */
};

/**
 * struct sb_record - one sandbox
 * @id:			16 hexadecimal digits
 * @name:		given name, empty if none
 * @status:		as last written; sb_home_is_alive() tells whether it still holds
 * @image:		reference it was made from
 * @image_digest:	manifest digest
 * @hostname:		host name inside
 * @address:		its IPv6 address as text
 * @created_ms:		wall clock
 * @started_ms:		when process 1 was ready; 0 before
 * @stop_at_ms:		when the monitor ends it; 0 = never
 * @stopped_ms:		when it ended; 0 before
 * @monitor_pid:	pid of the monitor
 * @init_pid:		pid of process 1 as the host sees it
 * @id_base:		host id of its id 0
 * @main_exec:		session whose end ends the sandbox (`run`); 0 = none
 * @remove:		it removes itself when it ends
 * @exit_code:		how the main session ended; -1 while unknown
 * @limits:		what it may use
 * @env:		environment of every session
 * @cwd:		working directory of every session
 * @user:		user of every session, OCI form; empty for root
 */
struct sb_record {
	char id[SB_ID_LEN];
	char name[SB_NAME_LEN];
	enum sb_status status;
	char image[512];
	char image_digest[136];
	char hostname[SB_NAME_LEN];
	char address[48];
	int64_t created_ms;
	int64_t started_ms;
	int64_t stop_at_ms;
	int64_t stopped_ms;
	pid_t monitor_pid;
	pid_t init_pid;
	uid_t id_base;
	int main_exec;
	bool remove;
	int exit_code;
	struct sb_cgroup_limits limits;
	struct sb_strv env;
	char *cwd;
	char *user;
};

#define SB_RECORD_INIT           \
	{                        \
		.exit_code = -1, \
	}

int sb_record_save(int dirfd, const struct sb_record *r, struct sb_err *err);
int sb_record_load(const struct sb_home *home, const char *id, struct sb_record *ret,
		   struct sb_err *err);
void sb_record_done(struct sb_record *r);
bool sb_record_is_dead(const struct sb_home *home, const struct sb_record *r);
const char *sb_record_status(const struct sb_home *home, const struct sb_record *r);
json_t *sb_record_json(const struct sb_home *home, const struct sb_record *r);
int sb_record_load_exec(const struct sb_home *home, const char *id, int exec, json_t **ret,
			struct sb_err *err);
int sb_record_open_proc(const struct sb_home *home, const struct sb_record *rec, const char *name,
			int flags, struct sb_err *err);

static inline void sb_cleanup_record(struct sb_record *r)
{
	sb_record_done(r);
}
#define _cleanup_record_ __attribute__((cleanup(sb_cleanup_record)))

#endif /* SB_SANDBOX_RECORD_H */
