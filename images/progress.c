/* SPDX-License-Identifier: Apache-2.0 */
/*
 * progress.c - shows people and programs how far a pull is
 *
 * Bars are redrawn in place by the control sequences "up" and "erase line" of ECMA-48, which every
 * terminal has. Whoever reads JSON gets a line at each change of state, and while a layer is being
 * downloaded a few a second.
 */
#include "images/progress.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "images/digest.h"
#include "images/limits.h"
#include "images/transfer.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/err.h"
#include "runtime/base/sys.h"

#define BARS_MS     100 /* between two drawings */
#define JSON_MS     250 /* between two lines about one download */
#define BAR_WIDTH   30
#define BAR_COLUMNS 70 /* a terminal that is narrower gets no bars */

static const char *const words[] = {
	[SB_PROGRESS_WAITING] = "waiting",     [SB_PROGRESS_DOWNLOADING] = "downloading",
	[SB_PROGRESS_UNPACKING] = "unpacking", [SB_PROGRESS_PRESENT] = "present",
	[SB_PROGRESS_DONE] = "done",
};

/* A layer as it was told last. */
struct layer {
	char digest[SB_DIGEST_SIZE];
	uint64_t size;
	const struct sb_transfer *transfer;
	enum sb_progress_state state;
	uint64_t told;
};

/**
 * struct sb_progress - a display
 * @mode:	how; not SB_PROGRESS_AUTO
 * @layers:	layers, bottom first
 * @n:		how many
 * @drawn:	rows on the terminal that are ours
 * @next_ms:	when to look at the downloads again
 */
struct sb_progress {
	enum sb_progress_mode mode;
	struct layer layers[SB_IMAGE_LAYERS_MAX];
	size_t n;
	size_t drawn;
	uint64_t next_ms;
};

/**
 * sb_progress_new() - Start to show
 * @mode:	how
 *
 * Return: freed with sb_progress_free(), or NULL with @err set (-ENOMEM)
 */
struct sb_progress *sb_progress_new(enum sb_progress_mode mode, struct sb_err *err)
{
	struct sb_progress *p = calloc(1, sizeof(*p));

	if (!p) {
		(void)sb_err_set(err, ENOMEM, "show the progress");
		return NULL;
	}
	p->mode = mode;
	if (mode == SB_PROGRESS_AUTO)
		p->mode = isatty(STDERR_FILENO) ? SB_PROGRESS_BARS : SB_PROGRESS_LINES;
	return p;
}

/**
 * sb_progress_free() - End showing; what stands on the terminal stays
 * @p:		display, or NULL
 */
void sb_progress_free(struct sb_progress *p)
{
	free(p);
}

static uint64_t bytes_of(const struct layer *l)
{
	uint64_t have = atomic_load(&l->transfer->have);

	if (l->state == SB_PROGRESS_WAITING)
		return 0;
	return l->state == SB_PROGRESS_DOWNLOADING && have < l->size ? have : l->size;
}

static const char *short_of(const struct layer *l)
{
	return strchr(l->digest, ':') + 1;
}

static double mb(uint64_t bytes)
{
	return (double)bytes / 1e6;
}

static void tell_json(struct layer *l)
{
	l->told = bytes_of(l);
	printf("{\"event\":\"layer\",\"digest\":\"%s\",\"state\":\"%s\",\"currentBytes\":%" PRIu64
	       ",\"totalBytes\":%" PRIu64 "}\n",
	       l->digest, words[l->state], l->told, l->size);
	(void)fflush(stdout);
}

static void tell_line(const struct layer *l)
{
	if (l->state == SB_PROGRESS_DOWNLOADING)
		fprintf(stderr, "%.12s: downloading %.1f MB\n", short_of(l), mb(l->size));
	else
		fprintf(stderr, "%.12s: %s\n", short_of(l), words[l->state]);
}

/* What the terminal has for us: the cursor needs a row. */
static struct winsize room(void)
{
	struct winsize size;

	/* The VT100's, if it does not tell. */
	if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) < 0 || size.ws_row < 2 || size.ws_col == 0)
		size = (struct winsize){ .ws_row = 24, .ws_col = 80 };
	size.ws_row--;
	return size;
}

static void draw_row(const struct layer *l, bool with_bar)
{
	char bar[BAR_WIDTH + 1] = "";
	size_t full = l->size ? (size_t)(bytes_of(l) * BAR_WIDTH / l->size) : BAR_WIDTH;

	if (l->state != SB_PROGRESS_DOWNLOADING) {
		fprintf(stderr, "\033[2K%.12s  %s\n", short_of(l), words[l->state]);
		return;
	}
	if (with_bar) {
		memset(bar, ' ', BAR_WIDTH);
		memset(bar, '=', full);
	}
	fprintf(stderr, "\033[2K%.12s  %s%s%s%.1f of %.1f MB\n", short_of(l), with_bar ? "[" : "",
		bar, with_bar ? "] " : "", mb(bytes_of(l)), mb(l->size));
}

/* All layers, from the row where the first one stands. What scrolls away cannot be drawn again, so
 * of more layers than there are rows the last are counted only. */
static void draw(struct sb_progress *p)
{
	struct winsize size = room();
	size_t rows = p->n <= size.ws_row ? p->n : size.ws_row - 1U;

	if (p->drawn > 0)
		fprintf(stderr, "\033[%zuA\r", p->drawn);
	fputs("\033[?7l", stderr); /* a row that is too long is cut, not wrapped (DECAWM) */
	for (size_t i = 0; i < rows; i++)
		draw_row(&p->layers[i], size.ws_col >= BAR_COLUMNS);
	if (rows < p->n)
		fprintf(stderr, "\033[2K… %zu more\n", p->n - rows);
	fputs("\033[?7h", stderr);
	p->drawn = rows + (rows < p->n);
	(void)fflush(stderr);
}

/**
 * sb_progress_begin() - Forget all layers: the work begins, or begins again
 * @p:		display; what stands on the terminal stays
 */
void sb_progress_begin(struct sb_progress *p)
{
	p->n = 0;
	p->drawn = 0;
}

/**
 * sb_progress_add() - Show one more layer, as waiting
 * @p:		display
 * @digest:	of its blob; copied
 * @size:	bytes of its blob
 * @transfer:	how far it is; borrowed
 *
 * Return: 0, or -E2BIG
 */
int sb_progress_add(struct sb_progress *p, const char *digest, uint64_t size,
		    const struct sb_transfer *transfer, struct sb_err *err)
{
	struct layer *l = &p->layers[p->n];

	if (p->n == SB_ARRAY_SIZE(p->layers))
		return sb_err_set(err, E2BIG, "show the progress");
	*l = (struct layer){ .size = size, .transfer = transfer, .state = SB_PROGRESS_WAITING };
	memcpy(l->digest, digest, sizeof(l->digest));
	p->n++;
	return 0;
}

/**
 * sb_progress_set() - Show that a layer has got further
 * @p:		display
 * @layer:	its number, in the order they were added
 * @state:	what is done to it now; the same again is not shown again, but for the first one
 */
void sb_progress_set(struct sb_progress *p, size_t layer, enum sb_progress_state state)
{
	struct layer *l = &p->layers[layer];

	/* What we have just brought is "present" too when it is looked for again. */
	if ((l->state == state && state != SB_PROGRESS_WAITING) ||
	    (l->state == SB_PROGRESS_DONE && state == SB_PROGRESS_PRESENT))
		return;
	l->state = state;
	if (p->mode == SB_PROGRESS_JSON)
		tell_json(l);
	else if (p->mode == SB_PROGRESS_LINES)
		tell_line(l);
	else if (p->mode == SB_PROGRESS_BARS)
		draw(p);
}

/**
 * sb_progress_note() - Show a message of the registry, or about it
 * @p:		display
 * @text:	one line, printable
 */
void sb_progress_note(struct sb_progress *p, const char *text)
{
	if (p->mode == SB_PROGRESS_NONE || p->mode == SB_PROGRESS_JSON)
		return;
	/* The bars move down: their row becomes the note's, and they are drawn below it. */
	if (p->drawn > 0)
		fprintf(stderr, "\033[%zuA\r\033[2K", p->drawn);
	p->drawn = 0;
	fprintf(stderr, "%s\n", text);
	if (p->mode == SB_PROGRESS_BARS)
		draw(p);
}

/**
 * sb_progress_tick() - Show how far the downloads are, if it is time
 * @p:		display
 *
 * Return: ms until it is time again; -1 if there is nothing to look at
 */
int sb_progress_tick(struct sb_progress *p)
{
	uint64_t now = sb_now_ms();
	int period = p->mode == SB_PROGRESS_BARS ? BARS_MS : JSON_MS;

	if (p->mode != SB_PROGRESS_BARS && p->mode != SB_PROGRESS_JSON)
		return -1;
	if (now < p->next_ms)
		return (int)(p->next_ms - now);
	p->next_ms = now + (uint64_t)period;
	if (p->mode == SB_PROGRESS_BARS) {
		draw(p);
		return period;
	}
	for (size_t i = 0; i < p->n; i++)
		if (p->layers[i].state == SB_PROGRESS_DOWNLOADING &&
		    bytes_of(&p->layers[i]) != p->layers[i].told)
			tell_json(&p->layers[i]);
	return period;
}
