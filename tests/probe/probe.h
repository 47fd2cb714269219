/* SPDX-License-Identifier: Apache-2.0 */
/*
 * probe.h - how the parts of the probe print: one JSON object a line
 */
#ifndef SB_TESTS_PROBE_H
#define SB_TESTS_PROBE_H

#define PROBE_COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* Objects: probe_open(), then fields, then probe_close(). @name must need no escaping. */
void probe_open(void);
void probe_str(const char *name, const char *value);
void probe_int(const char *name, long long value);
void probe_errno(const char *name, int error); /* "ok" for 0, else its name: "EPERM" */
void probe_close(void);

/* Read a file of /proc into @buf, cut to @size; empty if it cannot be read. */
const char *probe_read(const char *path, char *buf, unsigned int size);

/* The topics; each prints what it sees. */
void probe_caps(void);
void probe_ids(void);
void probe_process(void);
void probe_env(void);
void probe_fds(void);
void probe_files(void);
void probe_mounts(void);
void probe_ns(void);
void probe_rlimits(void);
void probe_seccomp(void);
void probe_sockets(void);
void probe_net(void);

#endif /* SB_TESTS_PROBE_H */
