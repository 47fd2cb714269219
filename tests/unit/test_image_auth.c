/* SPDX-License-Identifier: Apache-2.0 */
/* test_image_auth.c - challenges and tokens, as registries send them and as nobody should */
#include "images/auth.h"

#include "tests/unit/unit.h"

#include "runtime/base/cleanup.h"
#include "runtime/base/err.h"

#define URL "https://auth.example/token"

static void the_best_challenge_is_chosen(void **state)
{
	static const struct {
		const char *header;
		enum sb_challenge_scheme scheme;
		const char *realm, *service;
	} rows[] = {
		{ "Bearer realm=\"" URL "\",service=\"a b\",scope=\"repository:x:pull,push\"",
		  SB_CHALLENGE_BEARER, URL, "a b" },
		{ "bearer REALM=" URL " , Service = \"q\\\"uo\\\\te\"", SB_CHALLENGE_BEARER, URL,
		  "q\"uo\\te" },
		{ "Basic realm=\"x\", Bearer realm=\"" URL "\"", SB_CHALLENGE_BEARER, URL, "" },
		{ "Bearer realm=\"" URL "\", Basic realm=\"x\"", SB_CHALLENGE_BEARER, URL, "" },
		{ "Negotiate, Basic realm=\"x, Bearer realm=evil\"", SB_CHALLENGE_BASIC,
		  "x, Bearer realm=evil", "" },
		{ "Negotiate YWJj==, Basic realm=x", SB_CHALLENGE_BASIC, "x", "" },
		{ "NTLM YWJj , basic", SB_CHALLENGE_BASIC, "", "" },
		{ ", ,Basic realm=\"\",", SB_CHALLENGE_BASIC, "", "" },
		{ "Digest realm=\"x\", nonce=\"n\"", SB_CHALLENGE_NONE, "", "" },
		{ "", SB_CHALLENGE_NONE, "", "" },
		{ " , ", SB_CHALLENGE_NONE, "", "" },
		/* No realm: nobody to ask. */
		{ "Bearer service=\"x\"", SB_CHALLENGE_NONE, "", "" },
		{ "Bearer", SB_CHALLENGE_NONE, "", "" },
		/* Broken: nothing is taken from it. */
		{ "Bearer realm=\"" URL, SB_CHALLENGE_NONE, "", "" },
		{ "Bearer realm=\"" URL "\\", SB_CHALLENGE_NONE, "", "" },
		{ "Bearer realm=\"a\" b", SB_CHALLENGE_NONE, "", "" },
		{ "Bearer realm=\"a\r\nb\"", SB_CHALLENGE_NONE, "", "" },
		{ "Bearer realm=", SB_CHALLENGE_NONE, "", "" },
		{ "Bearer/1 realm=x", SB_CHALLENGE_NONE, "", "" },
		{ "\"Bearer\" realm=x", SB_CHALLENGE_NONE, "", "" },
	};

	(void)state;
	for (size_t i = 0; i < SB_ARRAY_SIZE(rows); i++) {
		struct sb_challenge c;

		sb_challenge_parse(rows[i].header, &c);
		assert_int_equal(c.scheme, rows[i].scheme);
		assert_string_equal(c.realm, rows[i].realm);
		assert_string_equal(c.service, rows[i].service);
	}
}

static void a_value_that_is_too_long_is_no_value(void **state)
{
	char header[SB_CHALLENGE_VALUE_SIZE + 32];
	struct sb_challenge c;

	(void)state;
	for (int len = SB_CHALLENGE_VALUE_SIZE - 2; len <= SB_CHALLENGE_VALUE_SIZE + 1; len++) {
		bool fits = len < SB_CHALLENGE_VALUE_SIZE;

		snprintf(header, sizeof(header), "Bearer realm=\"%0*d\"", len, 0);
		sb_challenge_parse(header, &c);
		assert_int_equal(c.scheme, fits ? SB_CHALLENGE_BEARER : SB_CHALLENGE_NONE);
		snprintf(header, sizeof(header), "Bearer realm=%0*d", len, 0);
		sb_challenge_parse(header, &c);
		assert_int_equal(c.scheme, fits ? SB_CHALLENGE_BEARER : SB_CHALLENGE_NONE);
	}
}

static void a_token_is_read_with_its_lifetime(void **state)
{
	static const struct {
		const char *text, *token;
		uint64_t ms;
	} rows[] = {
		{ "{\"token\":\"a.b-c\"}", "a.b-c", 60000 },
		{ "{\"access_token\":\"x\",\"expires_in\":300}", "x", 300000 },
		{ "{\"token\":\"t\",\"access_token\":\"x\",\"expires_in\":5}", "t", 60000 },
		{ "{\"token\":\"t\",\"expires_in\":-1,\"issued_at\":\"x\"}", "t", 60000 },
		{ "{\"token\":\"t\",\"expires_in\":9223372036854775807}", "t", 86400000 },
	};

	(void)state;
	for (size_t i = 0; i < SB_ARRAY_SIZE(rows); i++) {
		_cleanup_secret_ char *token = NULL;
		struct sb_err err = SB_ERR_INIT;
		uint64_t ms;

		assert_int_equal(
			sb_auth_parse_token(rows[i].text, strlen(rows[i].text), &token, &ms, &err),
			0);
		assert_string_equal(token, rows[i].token);
		assert_int_equal(ms, rows[i].ms);
	}
}

static void what_is_no_token_is_refused(void **state)
{
	static const char *const rows[] = {
		"",
		"[]",
		"{}",
		"{\"token\":\"\"}",
		"{\"token\":5}",
		"{\"token\":\"a b\"}",
		"{\"token\":\"a\\r\\nX-Header: b\"}",
		"{\"token\":\"a\\u0000b\"}",
		"{\"token\":\"\xc3\xa4\"}",
		"{\"token\":\"a\",\"token\":\"b\"}",
		"{\"token\":\"a\",\"expires_in\":\"300\"}",
		"<html>",
	};

	(void)state;
	for (size_t i = 0; i < SB_ARRAY_SIZE(rows); i++) {
		struct sb_err err = SB_ERR_INIT;
		char *token = NULL;
		uint64_t ms;

		assert_int_equal(sb_auth_parse_token(rows[i], strlen(rows[i]), &token, &ms, &err),
				 -EPROTO);
		assert_null(token);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_best_challenge_is_chosen),
		cmocka_unit_test(a_value_that_is_too_long_is_no_value),
		cmocka_unit_test(a_token_is_read_with_its_lifetime),
		cmocka_unit_test(what_is_no_token_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
