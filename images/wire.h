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
	SB_WIRE_OPAQUE = 1, /* unpacker: mark the directory @fds[0]; answered by @code */
	SB_WIRE_IMAGE,      /* unpacker: @image is complete in the stage */
	SB_WIRE_FAILED,     /* either: @err, the last message */
};

/**
 * struct sb_wire - one message; what it means is in the list of types
 * @type:	enum sb_wire_type
 * @code:	0 or a negative errno value
 * @image:	with digests and reference checked by sb_wire_recv()
 * @err:	with texts that end
 */
struct sb_wire {
	uint32_t type;
	int32_t code;
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
