/* SPDX-License-Identifier: Apache-2.0 */
/*
 * prompt.h - ask the person at the terminal
 */
#ifndef SB_IMAGES_PROMPT_H
#define SB_IMAGES_PROMPT_H

#include <stdbool.h>
#include <stddef.h>

struct sb_err;

int sb_prompt(const char *question, bool is_secret, char *buf, size_t size, struct sb_err *err);

#endif /* SB_IMAGES_PROMPT_H */
