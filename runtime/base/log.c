/* SPDX-License-Identifier: Apache-2.0 */
/* log.c - messages for people on standard error */
#include "runtime/base/log.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include <jansson.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/str.h"

static enum sb_log_level max_shown = SB_LOG_INFO;
static bool as_json;

static const char *const level_names[] = { "error", "warning", "info", "debug" };
static_assert(SB_ARRAY_SIZE(level_names) == SB_LOG_DEBUG + 1, "level_names[] and enum differ");

/**
 * sb_log_init() - Choose what is shown, and how
 * @max_level:	least urgent level that is shown
 * @json:	one JSON object a line instead of text
 */
void sb_log_init(enum sb_log_level max_level, bool json)
{
	max_shown = max_level;
	as_json = json;
}

/**
 * sb_log() - Write one line to standard error
 * @level:	how urgent it is
 * @fmt:	printf format, without a newline
 *
 * The line is written with one write(2), so that lines of several processes do not mix.
 */
void sb_log(enum sb_log_level level, const char *fmt, ...)
{
	int saved = errno;
	char msg[512];
	va_list ap;

	if (level > max_shown)
		return;
	va_start(ap, fmt);
	vsnprintf(msg, sizeof(msg), fmt, ap);
	va_end(ap);
	sb_str_clean(msg);

	if (as_json) {
		json_t *o = json_pack("{s:s, s:s}", "level", level_names[level], "msg", msg);
		char *line = o ? json_dumps(o, JSON_COMPACT) : NULL;

		if (line)
			dprintf(STDERR_FILENO, "%s\n", line);
		free(line);
		json_decref(o);
	} else if (level == SB_LOG_INFO) {
		dprintf(STDERR_FILENO, "%s\n", msg);
	} else {
		dprintf(STDERR_FILENO, "sbrun: %s%s%s\n",
			level == SB_LOG_ERROR ? "" : level_names[level],
			level == SB_LOG_ERROR ? "" : ": ", msg);
	}
	errno = saved;
}
