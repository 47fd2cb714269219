/* SPDX-License-Identifier: Apache-2.0 */
/*
 * layout.h - images of an OCI layout (image-layout.md), as a directory or a tar
 */
#ifndef SB_IMAGES_LAYOUT_H
#define SB_IMAGES_LAYOUT_H

struct sb_bundle;
struct sb_err;
struct sb_incoming_list;

int sb_layout_read(struct sb_bundle *bundle, const char *name, struct sb_incoming_list *ret,
		   struct sb_err *err);
int sb_layout_read_fetched(struct sb_bundle *bundle, const char *top, const char *name,
			   struct sb_incoming_list *ret, struct sb_err *err);

#endif /* SB_IMAGES_LAYOUT_H */
