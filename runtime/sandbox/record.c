/* SPDX-License-Identifier: Apache-2.0 */
/* record.c - what is known about a sandbox, on disk: <run>/<id>/state.json */
#include "runtime/sandbox/record.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/err.h"
#include "runtime/base/sys.h"

#define STATE_MAX (4 << 20) /* an environment has at most 2 MiB: execve(2), "Limits" */

static const char *const status_names[] = { "creating", "running", "stopped" };
static_assert(SB_ARRAY_SIZE(status_names) == SB_STATUS_STOPPED + 1, "status_names[] differs");

static json_t *time_json(int64_t ms)
{
	char buf[SB_TIME_LEN];

	return ms ? json_string(sb_time_format(ms, buf)) : json_null();
}

static json_t *limit_json(uint64_t value)
{
	return value ? json_integer((json_int_t)value) : json_null();
}

/* A record as users see it, but for @status: times as text, what does not apply as null. */
static json_t *to_json(const struct sb_record *r, const char *status)
{
	json_t *o = json_pack("{s:s, s:s?, s:s, s:s, s:s, s:s, s:s}", "id", r->id, "name",
			      r->name[0] ? r->name : NULL, "status", status, "image", r->image,
			      "imageDigest", r->image_digest, "hostname", r->hostname, "address",
			      r->address);
	json_t *limits = json_object();

	(void)json_object_set_new(o, "createdAt", time_json(r->created_ms));
	(void)json_object_set_new(o, "startedAt", time_json(r->started_ms));
	(void)json_object_set_new(o, "stopAt", time_json(r->stop_at_ms));
	(void)json_object_set_new(o, "stoppedAt", time_json(r->stopped_ms));
	(void)json_object_set_new(o, "monitorPid", limit_json((uint64_t)r->monitor_pid));
	(void)json_object_set_new(o, "initPid", limit_json((uint64_t)r->init_pid));
	(void)json_object_set_new(o, "idBase", json_integer(r->id_base));
	(void)json_object_set_new(o, "mainExec", limit_json((uint64_t)r->main_exec));
	(void)json_object_set_new(o, "removeWhenDone", json_boolean(r->remove));
	(void)json_object_set_new(o, "exitCode",
				  r->exit_code < 0 ? json_null() : json_integer(r->exit_code));
	(void)json_object_set_new(limits, "memoryBytes", limit_json(r->limits.memory_bytes));
	(void)json_object_set_new(limits, "cpus",
				  r->limits.cpu_milli ? json_real(r->limits.cpu_milli / 1000.0)
						      : json_null());
	(void)json_object_set_new(limits, "pids", limit_json(r->limits.pids));
	(void)json_object_set_new(o, "limits", limits);
	(void)json_object_set_new(o, "env", sb_json_from_strv(&r->env));
	(void)json_object_set_new(o, "cwd", json_string(r->cwd ? r->cwd : "/"));
	(void)json_object_set_new(o, "user", json_string(r->user ? r->user : ""));
	return o;
}

/**
 * sb_record_save() - Write a record
 * @dirfd:	directory of the sandbox in <run>
 * @r:		record
 *
 * The file has what users see, and beside it the exact numbers ("times").
 *
 * Return: 0, or a negative errno value with the old record kept
 */
int sb_record_save(int dirfd, const struct sb_record *r, struct sb_err *err)
{
	_cleanup_json_ json_t *o = to_json(r, status_names[r->status]);
	json_t *times = json_pack("{s:I, s:I, s:I, s:I}", "created", (json_int_t)r->created_ms,
				  "started", (json_int_t)r->started_ms, "stopAt",
				  (json_int_t)r->stop_at_ms, "stopped", (json_int_t)r->stopped_ms);

	if (!o || !times)
		return sb_err_set(err, ENOMEM, "write the state of '%s'", r->id);
	(void)json_object_set_new(o, "version", json_integer(SB_RECORD_VERSION));
	(void)json_object_set_new(o, "times", times);
	(void)json_object_set_new(o, "cpuMilli", json_integer(r->limits.cpu_milli));
	return sb_json_save_at(dirfd, "state.json", o, err);
}

static int copy_str(const json_t *o, const char *key, char *buf, size_t size, struct sb_err *err)
{
	const char *s = "";

	if (sb_json_get_str(o, key, &s, err) < 0)
		return -err->code;
	if ((size_t)snprintf(buf, size, "%s", s) >= size)
		return sb_err_refuse(err, EPROTO, "'%s' is too long", key);
	return 0;
}

static int dup_str(const json_t *o, const char *key, char **ret, struct sb_err *err)
{
	const char *s = "";

	if (sb_json_get_str(o, key, &s, err) < 0)
		return -err->code;
	*ret = strdup(s);
	return *ret ? 0 : sb_err_set(err, ENOMEM, "read '%s'", key);
}

static int read_numbers(const json_t *o, struct sb_record *r, struct sb_err *err)
{
	const json_t *times = json_object_get(o, "times");
	const json_t *limits = json_object_get(o, "limits");
	int64_t monitor = 0, init = 0, base = 0, mainx = 0, code = -1, mem = 0, pids = 0, cpu = 0;
	int remove = 0;

	if (sb_json_get_int(times, "created", &r->created_ms, err) < 0 ||
	    sb_json_get_int(times, "started", &r->started_ms, err) < 0 ||
	    sb_json_get_int(times, "stopAt", &r->stop_at_ms, err) < 0 ||
	    sb_json_get_int(times, "stopped", &r->stopped_ms, err) < 0 ||
	    sb_json_get_int(o, "monitorPid", &monitor, err) < 0 ||
	    sb_json_get_int(o, "initPid", &init, err) < 0 ||
	    sb_json_get_int(o, "idBase", &base, err) < 0 ||
	    sb_json_get_int(o, "mainExec", &mainx, err) < 0 ||
	    sb_json_get_int(o, "exitCode", &code, err) < 0 ||
	    sb_json_get_int(o, "cpuMilli", &cpu, err) < 0 ||
	    sb_json_get_int(limits, "memoryBytes", &mem, err) < 0 ||
	    sb_json_get_int(limits, "pids", &pids, err) < 0 ||
	    sb_json_get_bool(o, "removeWhenDone", &remove, err) < 0)
		return -err->code;
	r->monitor_pid = (pid_t)monitor;
	r->init_pid = (pid_t)init;
	r->id_base = (uid_t)base;
	r->main_exec = (int)mainx;
	r->exit_code = (int)code;
	r->remove = remove;
	r->limits = (struct sb_cgroup_limits){ .memory_bytes = (uint64_t)mem,
					       .pids = (uint64_t)pids,
					       .cpu_milli = (uint32_t)cpu };
	return 0;
}

static int read_status(const json_t *o, struct sb_record *r, struct sb_err *err)
{
	const char *s;

	if (sb_json_need_str(o, "status", &s, err) < 0)
		return -err->code;
	for (size_t i = 0; i < SB_ARRAY_SIZE(status_names); i++) {
		if (strcmp(s, status_names[i]) != 0)
			continue;
		r->status = (enum sb_status)i;
		return 0;
	}
	return sb_err_refuse(err, EPROTO, "status '%s' is unknown", s);
}

/**
 * sb_record_load() - Read the record of a sandbox
 * @home:	home
 * @id:		valid id
 * @ret:	released with sb_record_done()
 *
 * Return: 0, or a negative errno value (-ENOENT: no such sandbox, or not that far yet)
 */
int sb_record_load(const struct sb_home *home, const char *id, struct sb_record *ret,
		   struct sb_err *err)
{
	_cleanup_record_ struct sb_record r = SB_RECORD_INIT;
	_cleanup_json_ json_t *o = NULL;
	char path[SB_ID_LEN + 16];
	int64_t version = 0;

	snprintf(path, sizeof(path), "%s/state.json", id);
	if (sb_json_load_at(home->run_fd, path, STATE_MAX, &o, err) < 0)
		return err->code == ENOENT ? sb_err_refuse(err, ENOENT, "no sandbox '%s'", id)
					   : -err->code;
	if (sb_json_get_int(o, "version", &version, err) < 0 || version != SB_RECORD_VERSION)
		return sb_err_refuse(err, EPROTO,
				     "sandbox '%s' was made by another version of sbrun", id);
	if (copy_str(o, "id", r.id, sizeof(r.id), err) < 0 ||
	    copy_str(o, "name", r.name, sizeof(r.name), err) < 0 ||
	    copy_str(o, "image", r.image, sizeof(r.image), err) < 0 ||
	    copy_str(o, "imageDigest", r.image_digest, sizeof(r.image_digest), err) < 0 ||
	    copy_str(o, "hostname", r.hostname, sizeof(r.hostname), err) < 0 ||
	    copy_str(o, "address", r.address, sizeof(r.address), err) < 0 ||
	    dup_str(o, "cwd", &r.cwd, err) < 0 || dup_str(o, "user", &r.user, err) < 0 ||
	    read_status(o, &r, err) < 0 || read_numbers(o, &r, err) < 0 ||
	    sb_json_get_strv(o, "env", &r.env, err) < 0)
		return sb_err_prefix(err, "state of '%s'", id);
	*ret = r;
	r = (struct sb_record)SB_RECORD_INIT;
	return 0;
}

/**
 * sb_record_done() - Free what a record holds
 * @r:		record; empty afterwards
 */
void sb_record_done(struct sb_record *r)
{
	sb_strv_done(&r->env);
	free(r->cwd);
	free(r->user);
	r->cwd = r->user = NULL;
}

/**
 * sb_record_is_dead() - Whether a sandbox was lost: its monitor was killed before it could end it
 * @home:	home
 * @r:		its record
 *
 * Return: true if so; the next command that collects garbage removes it
 */
bool sb_record_is_dead(const struct sb_home *home, const struct sb_record *r)
{
	return r->status != SB_STATUS_STOPPED && !sb_home_is_alive(home, r->id);
}

/**
 * sb_record_status() - What a sandbox is doing, as far as can be known
 * @home:	home
 * @r:		its record
 *
 * Return: "creating", "running", "stopped", or "dead" if its monitor was killed
 */
const char *sb_record_status(const struct sb_home *home, const struct sb_record *r)
{
	return sb_record_is_dead(home, r) ? "dead" : status_names[r->status];
}

/**
 * sb_record_json() - A record as users see it, with what the sandbox is doing now
 * @home:	home
 * @r:		record
 *
 * Return: an object that the caller drops, or NULL without memory
 */
json_t *sb_record_json(const struct sb_home *home, const struct sb_record *r)
{
	return to_json(r, sb_record_status(home, r));
}

/**
 * sb_record_load_exec() - Read the record of a session
 * @home:	home
 * @id:		valid id of its sandbox
 * @exec:	its number
 * @ret:	the record; the caller drops it
 *
 * Return: 0, or a negative errno value (-ENOENT: no such session)
 */
int sb_record_load_exec(const struct sb_home *home, const char *id, int exec, json_t **ret,
			struct sb_err *err)
{
	char path[64];

	snprintf(path, sizeof(path), "%s/" SB_EXEC_RECORD "%d.json", id, exec);
	if (sb_json_load_at(home->run_fd, path, STATE_MAX, ret, err) == 0)
		return 0;
	return err->code == ENOENT ? sb_err_refuse(err, ENOENT, "no session '%s/%d'", id, exec)
				   : -err->code;
}

/**
 * sb_record_open_proc() - Open something of process 1, and of no other process
 * @home:	home
 * @rec:	record of a running sandbox
 * @name:	path below /proc/<pid>: "root", "ns/net"
 * @flags:	open(2) flags
 *
 * A pid alone could be another process by now. The monitor reaps process 1 after it has recorded
 * the end: if the record still says "running" when the file is open, and the monitor lives, it was
 * ours.
 *
 * Return: a descriptor, or a negative errno value (-ENOTCONN: the sandbox is not running)
 */
int sb_record_open_proc(const struct sb_home *home, const struct sb_record *rec, const char *name,
			int flags, struct sb_err *err)
{
	_cleanup_record_ struct sb_record now = SB_RECORD_INIT;
	_cleanup_fd_ int fd = -1;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/%s", rec->init_pid, name);
	fd = rec->init_pid > 0 ? open(path, flags | O_CLOEXEC) : -1;
	if (fd < 0 || sb_record_load(home, rec->id, &now, err) < 0 ||
	    now.status != SB_STATUS_RUNNING || !sb_home_is_alive(home, rec->id))
		return sb_err_refuse(err, ENOTCONN, "sandbox '%s' is not running", rec->id);
	return sb_steal_fd(&fd);
}
