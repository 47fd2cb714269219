/* SPDX-License-Identifier: Apache-2.0 */
/* retry.c - when to ask a server again, and how long to wait before */
#include "images/retry.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/random.h>
#include <time.h>

#include <curl/curl.h>

#include "images/http.h"
#include "images/registry.h"
#include "runtime/base/err.h"
#include "runtime/base/num.h"
#include "runtime/base/sys.h"

#define WAIT_FIRST_MS 200
#define WAIT_MAX_MS   10000
#define WAIT_ASKED_MS 60000 /* a server that asks for more is told to the user instead */
#define POLL_MS       100
#define SECONDS_MAX   (UINT64_C(1) << 31)

/**
 * sb_retry_after_ms() - What a Retry-After header says
 * @text:	its value, from a stranger
 * @now_ms:	wall clock
 *
 * RFC 9110 section 10.2.3: seconds, or a date.
 *
 * Return: ms to wait, at least 0, or -1 if the header says nothing
 */
int64_t sb_retry_after_ms(const char *text, int64_t now_ms)
{
	uint64_t seconds;
	time_t date;

	if (sb_parse_u64(text, SECONDS_MAX, &seconds) == 0)
		return (int64_t)seconds * 1000;
	date = text[0] ? curl_getdate(text, NULL) : -1;
	if (date < 0)
		return -1;
	return date * 1000 > now_ms ? date * 1000 - now_ms : 0;
}

/* RFC 9110 section 15: these may pass. 501 and 505 do not. */
static bool may_pass(const struct sb_http_answer *answer)
{
	return answer->transient || answer->status == 408 || answer->status == 429 ||
	       answer->status == 500 || (answer->status >= 502 && answer->status <= 504);
}

/* Twice as long each time, and by chance up to half of it less: others were refused as well. */
static int64_t back_off_ms(unsigned int tries)
{
	int64_t ms = WAIT_FIRST_MS;
	uint32_t chance = 0;

	while (--tries > 0 && ms < WAIT_MAX_MS)
		ms *= 2;
	if (ms > WAIT_MAX_MS)
		ms = WAIT_MAX_MS;
	if (getrandom(&chance, sizeof(chance), GRND_NONBLOCK) != sizeof(chance))
		chance = 0;
	return ms - (int64_t)(chance % ((uint32_t)ms / 2));
}

/**
 * sb_retry_wait() - After a failure: wait if it is worth another try
 * @retry:	tries; counts this one
 * @answer:	what came back
 *
 * @err is what failed; it is told to the hook when there is another try.
 *
 * Return: 1: waited, try again; 0: give up; -ECANCELED with @err set
 */
int sb_retry_wait(struct sb_retry *retry, const struct sb_http_answer *answer, struct sb_err *err)
{
	int64_t asked = sb_retry_after_ms(answer->retry_after, sb_wall_ms());
	char why[SB_ERR_MSG_MAX + 64], text[sizeof(why) + 64];
	int64_t wait;

	retry->tries++;
	if (!may_pass(answer) || retry->tries >= retry->tries_max || asked > WAIT_ASKED_MS)
		return 0;
	wait = back_off_ms(retry->tries);
	if (wait < asked)
		wait = asked;
	if (retry->hooks->notice) {
		err->hint[0] = '\0'; /* for those who see it in the end */
		snprintf(text, sizeof(text), "%s; trying again in %d.%d s",
			 sb_err_text(err, why, sizeof(why)), (int)(wait / 1000),
			 (int)(wait / 100 % 10));
		retry->hooks->notice(retry->hooks->ctx, text);
	}
	for (int64_t end = (int64_t)sb_now_ms() + wait; (int64_t)sb_now_ms() < end;) {
		const struct timespec pause = { .tv_nsec = POLL_MS * 1000000L };

		if (sb_http_cancelled(retry->http))
			return sb_err_refuse(err, ECANCELED, "cancelled");
		(void)nanosleep(&pause, NULL);
	}
	return 1;
}
