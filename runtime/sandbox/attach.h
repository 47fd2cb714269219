/* SPDX-License-Identifier: Apache-2.0 */
/*
 * attach.h - run a program in a sandbox as if it were started here
 */
#ifndef SB_SANDBOX_ATTACH_H
#define SB_SANDBOX_ATTACH_H

#include <stdbool.h>

#include <jansson.h>

struct sb_err;

/**
 * struct sb_attach - how the caller takes part
 * @interactive:	its standard input is the program's
 * @tty:		the program gets a terminal, which the caller's shows
 * @background:		the caller only waits until the program runs
 */
struct sb_attach {
	bool interactive;
	bool tty;
	bool background;
};

int sb_attach_exec(int conn, json_t *request, const struct sb_attach *how, json_t **ret,
		   struct sb_err *err);

#endif /* SB_SANDBOX_ATTACH_H */
