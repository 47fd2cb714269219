/* SPDX-License-Identifier: Apache-2.0 */
/*
 * refusal.h - what a registry means by a status that is no success, in words for people
 */
#ifndef SB_IMAGES_REFUSAL_H
#define SB_IMAGES_REFUSAL_H

#include <stdbool.h>

struct sb_err;
struct sb_http_answer;

/**
 * struct sb_refusal - who was asked for what; all borrowed
 * @host:		who answered
 * @login:		the name under which the user would log in there
 * @what:		what was asked for: "image 'x:y'"
 * @source:		where the credentials come from; NULL: none, or not known
 * @credentials:	we have shown some
 * @basic:		it lets nobody in without credentials, whatever is asked for
 */
struct sb_refusal {
	const char *host;
	const char *login;
	const char *what;
	const char *source;
	bool credentials;
	bool basic;
};

int sb_refusal_explain(const struct sb_refusal *refusal, const struct sb_http_answer *answer,
		       struct sb_err *err);

#endif /* SB_IMAGES_REFUSAL_H */
