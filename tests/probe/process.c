/* SPDX-License-Identifier: Apache-2.0 */
/* process.c - the probe's topics about itself: identity, capabilities, descriptors, limits,
 * namespaces */
#include "tests/probe/probe.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

extern char **environ;

/* capability.h, in the order of their numbers (Linux 5.9: 41 of them) */
static const char *const cap_names[] = {
	"chown",
	"dac_override",
	"dac_read_search",
	"fowner",
	"fsetid",
	"kill",
	"setgid",
	"setuid",
	"setpcap",
	"linux_immutable",
	"net_bind_service",
	"net_broadcast",
	"net_admin",
	"net_raw",
	"ipc_lock",
	"ipc_owner",
	"sys_module",
	"sys_rawio",
	"sys_chroot",
	"sys_ptrace",
	"sys_pacct",
	"sys_admin",
	"sys_boot",
	"sys_nice",
	"sys_resource",
	"sys_time",
	"sys_tty_config",
	"mknod",
	"lease",
	"audit_write",
	"audit_control",
	"setfcap",
	"mac_override",
	"mac_admin",
	"syslog",
	"wake_alarm",
	"block_suspend",
	"audit_read",
	"perfmon",
	"bpf",
	"checkpoint_restore",
};

/* The value of "@key:" in /proc/self/status, in @buf; NULL if there is none. */
static const char *status_value(const char *key, char *buf, size_t size)
{
	static char status[8192];
	const char *line = probe_read("/proc/self/status", status, sizeof(status));
	size_t len = strlen(key);

	for (; line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL)
		if (!strncmp(line, key, len) && line[len] == ':') {
			line += len + 1 + strspn(line + len + 1, " \t");
			snprintf(buf, size, "%.*s", (int)strcspn(line, "\n"), line);
			return buf;
		}
	return NULL;
}

/* One object for each capability of each set, and one for each switch beside them. */
void probe_caps(void)
{
	static const char *const sets[][2] = { { "CapInh", "inheritable" },
					       { "CapPrm", "permitted" },
					       { "CapEff", "effective" },
					       { "CapBnd", "bounding" },
					       { "CapAmb", "ambient" } };
	static const char *const switches[] = { "NoNewPrivs", "Seccomp", "Seccomp_filters" };
	char value[64];

	for (size_t i = 0; i < PROBE_COUNT(sets); i++) {
		unsigned long long mask = status_value(sets[i][0], value, sizeof(value))
						  ? strtoull(value, NULL, 16)
						  : 0;

		for (size_t cap = 0; cap < PROBE_COUNT(cap_names); cap++)
			if (mask & (1ULL << cap)) {
				probe_open();
				probe_str("set", sets[i][1]);
				probe_str("cap", cap_names[cap]);
				probe_close();
			}
	}
	for (size_t i = 0; i < PROBE_COUNT(switches); i++)
		if (status_value(switches[i], value, sizeof(value))) {
			probe_open();
			probe_str("switch", switches[i]);
			probe_int("value", atoll(value));
			probe_close();
		}
}

void probe_ids(void)
{
	uid_t uid, euid, suid;
	gid_t gid, egid, sgid, groups[256];
	char map[4096];
	int n = getgroups((int)PROBE_COUNT(groups), groups);

	(void)getresuid(&uid, &euid, &suid);
	(void)getresgid(&gid, &egid, &sgid);
	probe_open();
	probe_int("uid", uid);
	probe_int("euid", euid);
	probe_int("suid", suid);
	probe_int("gid", gid);
	probe_int("egid", egid);
	probe_int("sgid", sgid);
	probe_str("uidMap", probe_read("/proc/self/uid_map", map, sizeof(map)));
	probe_str("gidMap", probe_read("/proc/self/gid_map", map, sizeof(map)));
	probe_close();
	for (int i = 0; i < n; i++) {
		probe_open();
		probe_int("group", groups[i]);
		probe_close();
	}
}

void probe_process(void)
{
	char buf[4096];
	mode_t mask = umask(0);

	(void)umask(mask);
	probe_open();
	probe_int("pid", getpid());
	probe_int("ppid", getppid());
	probe_int("pgid", getpgid(0));
	probe_int("sid", getsid(0));
	probe_int("umask", mask);
	probe_str("cwd", getcwd(buf, sizeof(buf)) ? buf : "");
	probe_str("hostname", gethostname(buf, sizeof(buf)) == 0 ? buf : "");
	for (int fd = 0; fd < 3; fd++) {
		snprintf(buf, sizeof(buf), "isTty%d", fd);
		probe_int(buf, isatty(fd));
	}
	probe_str("cgroup", probe_read("/proc/self/cgroup", buf, sizeof(buf)));
	probe_str("oomScoreAdj", probe_read("/proc/self/oom_score_adj", buf, sizeof(buf)));
	probe_close();
}

void probe_env(void)
{
	for (char **e = environ; *e; e++) {
		probe_open();
		probe_str("env", *e);
		probe_close();
	}
}

/* Call @use with the name and link target of each entry of @path, and @dirfd as our own descriptor.
 */
static void each_link(const char *path,
		      void (*use)(const char *name, const char *target, int dirfd))
{
	DIR *dir = opendir(path);
	struct dirent *e;

	while (dir && (e = readdir(dir))) {
		char target[PATH_MAX];
		ssize_t n = readlinkat(dirfd(dir), e->d_name, target, sizeof(target) - 1);

		if (n < 0)
			continue;
		target[n] = '\0';
		use(e->d_name, target, dirfd(dir));
	}
	if (dir)
		(void)closedir(dir);
}

static void print_fd(const char *name, const char *target, int dirfd)
{
	if (atoi(name) == dirfd)
		return;
	probe_open();
	probe_int("fd", atoi(name));
	probe_str("target", target);
	probe_close();
}

void probe_fds(void)
{
	each_link("/proc/self/fd", print_fd);
}

static void print_ns(const char *name, const char *target, int dirfd)
{
	const char *inode = strchr(target, '[');

	(void)dirfd;
	probe_open();
	probe_str("ns", name);
	probe_int("inode", inode ? atoll(inode + 1) : 0);
	probe_close();
}

void probe_ns(void)
{
	each_link("/proc/self/ns", print_ns);
}

void probe_rlimits(void)
{
	static const struct {
		const char *name;
		int resource;
	} limits[] = { { "as", RLIMIT_AS },
		       { "core", RLIMIT_CORE },
		       { "cpu", RLIMIT_CPU },
		       { "data", RLIMIT_DATA },
		       { "fsize", RLIMIT_FSIZE },
		       { "locks", RLIMIT_LOCKS },
		       { "memlock", RLIMIT_MEMLOCK },
		       { "msgqueue", RLIMIT_MSGQUEUE },
		       { "nice", RLIMIT_NICE },
		       { "nofile", RLIMIT_NOFILE },
		       { "nproc", RLIMIT_NPROC },
		       { "rss", RLIMIT_RSS },
		       { "rtprio", RLIMIT_RTPRIO },
		       { "rttime", RLIMIT_RTTIME },
		       { "sigpending", RLIMIT_SIGPENDING },
		       { "stack", RLIMIT_STACK } };
	struct rlimit r;

	for (size_t i = 0; i < PROBE_COUNT(limits); i++) {
		if (getrlimit(limits[i].resource, &r) < 0)
			continue;
		probe_open();
		probe_str("limit", limits[i].name);
		probe_int("soft", (long long)r.rlim_cur); /* -1: none */
		probe_int("hard", (long long)r.rlim_max);
		probe_close();
	}
}
