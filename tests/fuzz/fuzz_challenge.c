/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_challenge.c - WWW-Authenticate headers from anybody */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "images/challenge.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sb_challenge c;
	char *text = malloc(size + 1);

	if (!text)
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	sb_challenge_parse(text, &c);
	/* What others rely on. */
	if (c.scheme == SB_CHALLENGE_BEARER && !c.realm[0])
		abort();
	for (const char *p = c.realm; *p; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			abort();
	free(text);
	return 0;
}
