/* SPDX-License-Identifier: Apache-2.0 */
/*
 * worker.h - a child process at the other end of a socket
 */
#ifndef SB_IMAGES_WORKER_H
#define SB_IMAGES_WORKER_H

#include <stddef.h>
#include <sys/types.h>

struct sb_err;

/**
 * struct sb_worker - a child that does one job
 * @pid:	its id; -1 if there is none
 * @sock:	SOCK_SEQPACKET to it, owned; -1 if there is none
 */
struct sb_worker {
	pid_t pid;
	int sock;
};

#define SB_WORKER_INIT                 \
	{                              \
		.pid = -1, .sock = -1, \
	}

/**
 * struct sb_worker_job - what a worker does
 * @name:	what messages call it, e.g. "unpacker"
 * @run:	runs in the child and returns its exit code; @sock is its end of the socket
 * @arg:	passed to @run
 * @keep:	descriptors it uses; all others are closed. -1 is ignored
 * @n_keep:	how many, at most SB_WORKER_KEEP_MAX
 */
struct sb_worker_job {
	const char *name;
	int (*run)(int sock, void *arg);
	void *arg;
	const int *keep;
	size_t n_keep;
};

#define SB_WORKER_KEEP_MAX 256 /* a descriptor a layer, an index, and a few more */

int sb_worker_start(const struct sb_worker_job *job, struct sb_worker *ret, struct sb_err *err);
int sb_worker_end(struct sb_worker *worker, const char *name, struct sb_err *err);
void sb_worker_kill(struct sb_worker *worker);

#endif /* SB_IMAGES_WORKER_H */
