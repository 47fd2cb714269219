/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gc.h - remove what sandboxes have left behind whose monitor was killed
 */
#ifndef SB_SANDBOX_GC_H
#define SB_SANDBOX_GC_H

#include <stdbool.h>

#include "images/collect.h"
#include "runtime/base/err.h"

struct sb_home;

/**
 * struct sb_gc_result - what garbage collection removed
 * @sandboxes:	sandboxes that were being made or running when their monitor died
 * @objects:	cgroups, firewall elements, names, id ranges and directories without a sandbox
 * @network:	the host's part of the network, as no sandbox is left
 * @store_busy:	images were being loaded: nothing was removed from the store
 * @error:	why nothing could be removed from the store; code 0: it could
 * @images:	what no image and no sandbox needs any more in the store
 */
struct sb_gc_result {
	unsigned int sandboxes;
	unsigned int objects;
	bool network;
	bool store_busy;
	struct sb_err error;
	struct sb_collected images;
};

int sb_gc(const struct sb_home *home, bool opportunistic, struct sb_gc_result *ret,
	  struct sb_err *err);
int sb_gc_remove(const struct sb_home *home, const char *id, struct sb_err *err);

#endif /* SB_SANDBOX_GC_H */
