/* SPDX-License-Identifier: Apache-2.0 */
/*
 * probe.c - what does a process inside a sandbox see, and what can it do?
 *
 * Usage: sbrun-probe TOPIC...   prints JSON objects, one a line. Static, so it runs in any image.
 * It tries dangerous things only with arguments that cannot succeed, or in a child of its own, and
 * judges nothing: the test that started it knows what is right.
 */
#include "tests/probe/probe.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const struct {
	const char *name;
	void (*run)(void);
} topics[] = {
	{ "caps", probe_caps },       { "env", probe_env },         { "fds", probe_fds },
	{ "files", probe_files },     { "ids", probe_ids },         { "mounts", probe_mounts },
	{ "net", probe_net },         { "ns", probe_ns },           { "process", probe_process },
	{ "rlimits", probe_rlimits }, { "seccomp", probe_seccomp }, { "sockets", probe_sockets },
};

static bool first_field;

void probe_open(void)
{
	putchar('{');
	first_field = true;
}

static void print_quoted(const char *s)
{
	putchar('"');
	for (; *s; s++) {
		unsigned char c = (unsigned char)*s;

		if (c == '"' || c == '\\')
			printf("\\%c", c);
		else if (c < 0x20 || c == 0x7f)
			printf("\\u%04x", c);
		else
			putchar(c);
	}
	putchar('"');
}

static void print_name(const char *name)
{
	printf("%s\"%s\": ", first_field ? "" : ", ", name);
	first_field = false;
}

void probe_str(const char *name, const char *value)
{
	print_name(name);
	print_quoted(value);
}

void probe_int(const char *name, long long value)
{
	print_name(name);
	printf("%lld", value);
}

void probe_errno(const char *name, int error)
{
	const char *word = error ? strerrorname_np(error) : "ok";

	probe_str(name, word ? word : "unknown error");
}

void probe_close(void)
{
	puts("}");
}

const char *probe_read(const char *path, char *buf, unsigned int size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	unsigned int len = 0;
	ssize_t n;

	while (fd >= 0 && len < size - 1 && (n = read(fd, buf + len, size - 1 - len)) > 0)
		len += (unsigned int)n;
	buf[len] = '\0';
	if (fd >= 0)
		(void)close(fd);
	return buf;
}

static bool run_topic(const char *name)
{
	for (size_t i = 0; i < PROBE_COUNT(topics); i++)
		if (!strcmp(topics[i].name, name)) {
			topics[i].run();
			return true;
		}
	fprintf(stderr, "sbrun-probe: no topic '%s'\n", name);
	return false;
}

int main(int argc, char **argv)
{
	int status = argc > 1 ? 0 : 2;

	for (int i = 1; i < argc; i++)
		if (!run_topic(argv[i]))
			status = 2;
	return fflush(stdout) == 0 ? status : 1;
}
