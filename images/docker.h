/* SPDX-License-Identifier: Apache-2.0 */
/*
 * docker.h - images of an archive by "docker save" and others (manifest.json)
 */
#ifndef SB_IMAGES_DOCKER_H
#define SB_IMAGES_DOCKER_H

#include <stdint.h>

struct sb_bundle;
struct sb_err;
struct sb_incoming;
struct sb_incoming_list;

int sb_docker_read(struct sb_bundle *bundle, const char *name, struct sb_incoming_list *ret,
		   struct sb_err *err);
int sb_docker_make_manifest(struct sb_incoming *image, const uint64_t *tar_bytes,
			    struct sb_err *err);

#endif /* SB_IMAGES_DOCKER_H */
