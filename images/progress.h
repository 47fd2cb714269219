/* SPDX-License-Identifier: Apache-2.0 */
/*
 * progress.h - shows people and programs how far a pull is
 */
#ifndef SB_IMAGES_PROGRESS_H
#define SB_IMAGES_PROGRESS_H

#include <stddef.h>
#include <stdint.h>

struct sb_err;
struct sb_progress;
struct sb_transfer;

enum sb_progress_mode {
	SB_PROGRESS_AUTO,  /* bars on a terminal, else lines */
	SB_PROGRESS_NONE,  /* nothing */
	SB_PROGRESS_LINES, /* a line a change, on standard error */
	SB_PROGRESS_BARS,  /* a bar a layer, on standard error */
	SB_PROGRESS_JSON,  /* JSON lines on standard output */
};

enum sb_progress_state {
	SB_PROGRESS_WAITING,     /* another process fetches it, or it is not its turn yet */
	SB_PROGRESS_DOWNLOADING, /* being downloaded, and unpacked as it arrives */
	SB_PROGRESS_UNPACKING,   /* downloaded */
	SB_PROGRESS_PRESENT,     /* in the store */
	SB_PROGRESS_DONE,        /* unpacked and verified */
};

struct sb_progress *sb_progress_new(enum sb_progress_mode mode, struct sb_err *err);
void sb_progress_free(struct sb_progress *p);
void sb_progress_begin(struct sb_progress *p);
int sb_progress_add(struct sb_progress *p, const char *digest, uint64_t size,
		    const struct sb_transfer *transfer, struct sb_err *err);
void sb_progress_set(struct sb_progress *p, size_t layer, enum sb_progress_state state);
void sb_progress_note(struct sb_progress *p, const char *text);
int sb_progress_tick(struct sb_progress *p);

#endif /* SB_IMAGES_PROGRESS_H */
