/* SPDX-License-Identifier: Apache-2.0 */
/* files.c - the probe's topics about the file system: mounts, and what of /proc, /sys and /dev
 * opens */
#include "tests/probe/probe.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* What leaks the host or lets one change it; from the masked and readonly lists of Docker and
 * Podman. */
static const char *const sensitive[] = {
	"/proc/acpi",
	"/proc/asound",
	"/proc/bus",
	"/proc/config.gz",
	"/proc/fs",
	"/proc/interrupts",
	"/proc/iomem",
	"/proc/irq",
	"/proc/kallsyms",
	"/proc/kcore",
	"/proc/keys",
	"/proc/kmsg",
	"/proc/kpagecount",
	"/proc/latency_stats",
	"/proc/mtrr",
	"/proc/modules",
	"/proc/sched_debug",
	"/proc/scsi",
	"/proc/slabinfo",
	"/proc/sys/fs/binfmt_misc/register",
	"/proc/sys/kernel/core_pattern",
	"/proc/sys/kernel/hostname",
	"/proc/sys/kernel/modprobe",
	"/proc/sys/kernel/panic",
	"/proc/sys/net/ipv6/conf/all/forwarding",
	"/proc/sys/vm/drop_caches",
	"/proc/sysrq-trigger",
	"/proc/timer_list",
	"/proc/timer_stats",
	"/proc/vmallocinfo",
	"/proc/1/environ",
	"/proc/1/mem",
	"/proc/self/mem",
	"/proc/self/oom_score_adj",
	"/sys/firmware",
	"/sys/devices/virtual/powercap",
	"/sys/devices/system/cpu/online",
	"/sys/fs/bpf",
	"/sys/fs/cgroup",
	"/sys/fs/cgroup/cgroup.procs",
	"/sys/fs/selinux",
	"/sys/kernel/debug",
	"/sys/kernel/mm/transparent_hugepage/enabled",
	"/sys/kernel/security",
	"/sys/kernel/uevent_helper",
	"/sys/module",
	"/sys/power/state",
	"/dev/fuse",
	"/dev/kmsg",
	"/dev/kvm",
	"/dev/mem",
	"/dev/net/tun",
	"/dev/null",
	"/dev/port",
	"/dev/vda",
};

/*
 * "ok" for a file or directory one can open in this way, else the error. A file that opens for
 * reading but is /dev/null, and an empty directory, are how runtimes mask paths: "masked".
 */
static void try_open(const char *path, const char *field, int flags)
{
	int fd = open(path, flags | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat st, null;
	char byte;

	if (fd < 0) {
		probe_errno(field, errno);
		return;
	}
	if (fstat(fd, &st) == 0 && stat("/dev/null", &null) == 0 && S_ISCHR(st.st_mode) &&
	    st.st_rdev == null.st_rdev && strcmp(path, "/dev/null") != 0)
		probe_str(field, "masked");
	else if (flags == O_RDONLY && S_ISDIR(st.st_mode) && st.st_nlink == 2 && st.st_size == 0)
		probe_str(field, "masked");
	else if (flags == O_RDONLY && !S_ISDIR(st.st_mode) && read(fd, &byte, 1) < 0 &&
		 errno != EAGAIN)
		probe_errno(field, errno);
	else
		probe_str(field, "ok");
	(void)close(fd);
}

void probe_files(void)
{
	for (size_t i = 0; i < PROBE_COUNT(sensitive); i++) {
		probe_open();
		probe_str("path", sensitive[i]);
		try_open(sensitive[i], "read", O_RDONLY);
		try_open(sensitive[i], "write", O_WRONLY);
		probe_close();
	}
}

/* One line of mountinfo, proc(5): id parent major:minor root target options [tags...] - type source
 * super */
static void print_mount(char *line)
{
	static const char *const names[] = { NULL, NULL, NULL, "root", "target", "options" };
	char *rest = NULL, *tail = strstr(line, " - ");
	char *word = strtok_r(line, " ", &rest);

	if (!tail)
		return;
	*tail = '\0';
	probe_open();
	for (size_t i = 0; word && i < PROBE_COUNT(names); i++, word = strtok_r(NULL, " ", &rest))
		if (names[i])
			probe_str(names[i], word);
	probe_str("tags", word ? word : "");
	tail += 3;
	probe_str("type", (word = strtok_r(tail, " ", &rest)) ? word : "");
	probe_str("source", (word = strtok_r(NULL, " ", &rest)) ? word : "");
	probe_str("super", rest ? rest : "");
	probe_close();
}

void probe_mounts(void)
{
	FILE *file = fopen("/proc/self/mountinfo", "re");
	static char line[65536];

	while (file && fgets(line, sizeof(line), file)) {
		line[strcspn(line, "\n")] = '\0';
		print_mount(line);
	}
	if (file)
		(void)fclose(file);
}
