/* SPDX-License-Identifier: Apache-2.0 */
/*
 * confine.h - what the unpacking process can still reach, and the one thing it asks others to do
 */
#ifndef SB_IMAGES_CONFINE_H
#define SB_IMAGES_CONFINE_H

#include <pthread.h>
#include <sys/types.h>

struct sb_err;

/**
 * struct sb_broker_client - the unpacker's end of the wire to its parent
 * @sock:	SOCK_SEQPACKET, borrowed
 * @lock:	one question at a time
 */
struct sb_broker_client {
	int sock;
	pthread_mutex_t lock;
};

int sb_confine_enter(int *store_dirfd, int *source_fd, struct sb_err *err);

int sb_broker_serve(int sock, dev_t store_dev, struct sb_err *err);
int sb_broker_set_opaque(void *client, int dirfd);

#endif /* SB_IMAGES_CONFINE_H */
