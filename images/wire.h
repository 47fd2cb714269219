/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wire.h - messages between the processes of sbrun-image
 *
 * Plain structs of fixed size over SOCK_SEQPACKET: the receiver, which trusts the other side less
 * than itself, has nothing to parse. It checks every text that it uses.
 */
#ifndef SB_IMAGES_WIRE_H
#define SB_IMAGES_WIRE_H

#include <stddef.h>
#include <stdint.h>

#include "images/load.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"

enum sb_wire_type {
	SB_WIRE_FAILED = 1, /* unpacker, fetcher: @err, the last message */
	SB_WIRE_OPAQUE,     /* unpacker: mark the directory @fds[0]; answered by @code */
	SB_WIRE_UNPACKED,   /* unpacker: layer @diff_id is unpacked and verified */
	SB_WIRE_IMAGE,      /* unpacker: @image is complete in the stage */
	SB_WIRE_ACCEPTED,   /* fetcher: the registry accepts the credentials */
	SB_WIRE_CURRENT,    /* fetcher: the name still stands for what the store has */
	SB_WIRE_DOCUMENT,   /* fetcher: index @digest of @size bytes is @fds[0]; before FOUND */
	SB_WIRE_FOUND,      /* fetcher: the digests of @image, of @number layers; its manifest and
			     * config are @fds[0] and @fds[1]. The name stands for @digest */
	SB_WIRE_LAYER,      /* fetcher: layer @number has @digest, @diff_id and @size */
	SB_WIRE_FETCH, /* to the fetcher: layer @number into @fds[0], which has @size bytes of it */
	SB_WIRE_FETCHED, /* fetcher: layer @number is there */
	SB_WIRE_NOTICE,  /* fetcher: the message of @err is for the user */
};

/**
 * struct sb_wire - one message; what it means is in the list of types
 * @type:	enum sb_wire_type
 * @code:	0 or a negative errno value
 * @number:	of layers, or of one, from 0
 * @size:	bytes
 * @digest:	checked by sb_wire_recv() where the type has one
 * @diff_id:	likewise
 * @image:	with digests and reference checked by sb_wire_recv()
 * @err:	with texts that end
 */
struct sb_wire {
	uint32_t type;
	int32_t code;
	uint32_t number;
	uint64_t size;
	char digest[SB_DIGEST_SIZE];
	char diff_id[SB_DIGEST_SIZE];
	struct sb_loaded image;
	struct sb_err err;
};

/**
 * struct sb_wire_fds - descriptors that came with a message
 * @v:		owned by the receiver
 * @n:		how many
 */
struct sb_wire_fds {
	int v[SB_FDS_MAX];
	size_t n;
};

int sb_wire_send(int sock, const struct sb_wire *msg, const int *fds, size_t n_fds);
int sb_wire_recv(int sock, struct sb_wire *ret, struct sb_wire_fds *ret_fds, struct sb_err *err);
void sb_wire_close(struct sb_wire_fds *fds);

#endif /* SB_IMAGES_WIRE_H */
