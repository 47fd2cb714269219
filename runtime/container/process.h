/* SPDX-License-Identifier: Apache-2.0 */
/*
 * process.h - process 1 of a container, and programs started beside it
 */
#ifndef SB_CONTAINER_PROCESS_H
#define SB_CONTAINER_PROCESS_H

#include <stdbool.h>
#include <sys/resource.h>
#include <sys/types.h>

struct sb_cgroup;
struct sb_err;
struct sb_rootfs;
struct sb_rootfs_mounts;

#define SB_DEFAULT_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#define SB_TTY_GID      5 /* group "tty" of Debian, Fedora and Alpine */

/**
 * struct sb_process - a child of ours that runs inside a container
 * @pid:	its pid as we see it
 * @pidfd:	handle of it, owned
 * @sync_fd:	where it tells whether its program could be started (sync.h), owned
 */
struct sb_process {
	pid_t pid;
	int pidfd;
	int sync_fd;
};

#define SB_PROCESS_INIT                                \
	{                                              \
		.pid = -1, .pidfd = -1, .sync_fd = -1, \
	}

/**
 * struct sb_launch - what process 1 needs; everything is borrowed
 * @rootfs:	its file system
 * @mounts:	the same as mounts; the caller closes them after the call
 * @cgroup:	groups of the container
 * @leaf_fd:	cgroup2 leaf of process 1
 * @program_fd:	the program to be process 1, on the host
 * @hostname:	host name
 */
struct sb_launch {
	const struct sb_rootfs *rootfs;
	const struct sb_rootfs_mounts *mounts;
	const struct sb_cgroup *cgroup;
	int leaf_fd;
	int program_fd;
	const char *hostname;
};

/**
 * struct sb_exec - a program to start in a running container; everything is borrowed
 * @cgroup:	groups of the container
 * @leaf_fd:	cgroup2 leaf of the new process tree
 * @init_pidfd:	process 1
 * @userns_fd:	user namespace of the container
 * @id_base:	host id of its id 0
 * @argv:	arguments, the first is the program; NULL-terminated
 * @env:	environment, "NAME=value"; NULL-terminated. HOME is added from /etc/passwd
 * @cwd:	working directory, absolute, as seen inside
 * @user:	user as in the OCI image-spec "User"; empty for root
 * @stdio:	standard input, output and error
 * @is_tty:	@stdio are a terminal of the container, which becomes the controlling one
 * @nofile:	how many files it may open: getrlimit(2), RLIMIT_NOFILE
 */
struct sb_exec {
	const struct sb_cgroup *cgroup;
	int leaf_fd;
	int init_pidfd;
	int userns_fd;
	uid_t id_base;
	char *const *argv;
	char *const *env;
	const char *cwd;
	const char *user;
	int stdio[3];
	bool is_tty;
	struct rlimit nofile;
};

int sb_launch(const struct sb_launch *l, struct sb_process *ret, struct sb_err *err);
int sb_exec_spawn(const struct sb_exec *x, struct sb_process *ret, struct sb_err *err);
void sb_process_close(struct sb_process *p);

int sb_exec_explain(const char *program, int code, struct sb_err *err);

#endif /* SB_CONTAINER_PROCESS_H */
