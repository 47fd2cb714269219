/* SPDX-License-Identifier: Apache-2.0 */
/*
 * image_program.h - sbrun-image, which meets archives and registries for us
 */
#ifndef SB_CLI_IMAGE_PROGRAM_H
#define SB_CLI_IMAGE_PROGRAM_H

struct sb_cli;
struct sb_err;
struct sb_image;

int sb_image_program_exec(const struct sb_cli *cli, const char *const args[], struct sb_err *err);
int sb_image_obtain(const struct sb_cli *cli, const char *reference, const char *policy,
		    struct sb_image *ret, struct sb_err *err);

#endif /* SB_CLI_IMAGE_PROGRAM_H */
