/* SPDX-License-Identifier: Apache-2.0 */
/*
 * transport.h - where a request ended, and why it got no answer, in words for people
 */
#ifndef SB_IMAGES_TRANSPORT_H
#define SB_IMAGES_TRANSPORT_H

#include <stdbool.h>

#include <curl/curl.h>

struct sb_err;
struct sb_http_answer;
struct sb_http_peer;

bool sb_transport_at_home(CURL *easy, const char *url);
void sb_transport_failed(CURL *easy, CURLcode code, const char *detail,
			 const struct sb_http_peer *peer, struct sb_http_answer *answer,
			 struct sb_err *err);

#endif /* SB_IMAGES_TRANSPORT_H */
