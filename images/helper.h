/* SPDX-License-Identifier: Apache-2.0 */
/*
 * helper.h - run a credential helper, "docker-credential-NAME"
 */
#ifndef SB_IMAGES_HELPER_H
#define SB_IMAGES_HELPER_H

struct sb_err;

int sb_helper_run(const char *name, const char *verb, const char *input, char **ret_output,
		  struct sb_err *err);

#endif /* SB_IMAGES_HELPER_H */
