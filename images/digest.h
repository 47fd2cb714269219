/* SPDX-License-Identifier: Apache-2.0 */
/*
 * digest.h - the text form of content digests, and the file names made from them
 *
 * OCI image-spec descriptor.md "Digests": "sha256:" and 64 lower-case hex digits. Other algorithms
 * are refused. A digest comes from outside, so it is checked before it takes part in any path.
 */
#ifndef SB_IMAGES_DIGEST_H
#define SB_IMAGES_DIGEST_H

#include <stdbool.h>

struct sb_err;

#define SB_DIGEST_HEX_LEN 64                  /* hex digits of a sha256 */
#define SB_DIGEST_LEN     71                  /* "sha256:" and the digits, without the NUL */
#define SB_DIGEST_SIZE    (SB_DIGEST_LEN + 1) /* room for one, with the NUL */

#define SB_DIGEST_PATH_SIZE \
	(sizeof("blobs/sha256/") + SB_DIGEST_HEX_LEN) /* for sb_digest_layout_path() */

bool sb_digest_is_valid(const char *digest);
int sb_digest_check(const char *digest, const char *of, struct sb_err *err);
void sb_digest_file_name(const char *digest, char *ret_name);
void sb_digest_layout_path(const char *digest, char *ret_path);
int sb_digest_from_file_name(const char *name, char *ret_digest);

#endif /* SB_IMAGES_DIGEST_H */
