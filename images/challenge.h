/* SPDX-License-Identifier: Apache-2.0 */
/*
 * challenge.h - how a registry wants to be told who we are: WWW-Authenticate
 */
#ifndef SB_IMAGES_CHALLENGE_H
#define SB_IMAGES_CHALLENGE_H

#define SB_CHALLENGE_VALUE_SIZE 1024 /* room for the value of a parameter */

enum sb_challenge_scheme {
	SB_CHALLENGE_NONE, /* none that we know */
	SB_CHALLENGE_BASIC,
	SB_CHALLENGE_BEARER,
};

/**
 * struct sb_challenge - the best of the challenges in an answer
 * @scheme:	what to do
 * @realm:	of Bearer: URL of the token server, never empty
 * @service:	of Bearer: what to call the registry there; may be ""
 */
struct sb_challenge {
	enum sb_challenge_scheme scheme;
	char realm[SB_CHALLENGE_VALUE_SIZE];
	char service[SB_CHALLENGE_VALUE_SIZE];
};

void sb_challenge_parse(const char *header, struct sb_challenge *ret);

#endif /* SB_IMAGES_CHALLENGE_H */
