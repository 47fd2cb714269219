/* SPDX-License-Identifier: Apache-2.0 */
/*
 * command.h - the commands of sbrun-image
 */
#ifndef SB_IMAGES_COMMAND_H
#define SB_IMAGES_COMMAND_H

#include <stdbool.h>

struct sb_err;

/**
 * struct sb_image_options - the command line; strings are borrowed from it
 * @store:	path of the store
 * @name:	--name, reference for the image; NULL if it was not given
 * @platform:	--platform; NULL if it was not given
 * @progress:	--progress; NULL if it was not given
 * @quiet:	--quiet
 * @username:	--username; NULL if it was not given
 * @password_stdin: --password-stdin
 * @output:	--output, file for the archive; NULL if it was not given
 * @format:	--format of the archive; NULL if it was not given
 * @json:	--json
 * @args:	what follows the options
 * @n_args:	how many
 */
struct sb_image_options {
	const char *store;
	const char *name;
	const char *platform;
	const char *progress;
	bool quiet;
	const char *username;
	bool password_stdin;
	const char *output;
	const char *format;
	bool json;
	char *const *args;
	int n_args;
};

int sb_command_pull(const struct sb_image_options *o, struct sb_err *err);
int sb_command_load(const struct sb_image_options *o, struct sb_err *err);
int sb_command_login(const struct sb_image_options *o, struct sb_err *err);
int sb_command_logout(const struct sb_image_options *o, struct sb_err *err);
int sb_command_save(const struct sb_image_options *o, struct sb_err *err);

#endif /* SB_IMAGES_COMMAND_H */
