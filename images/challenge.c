/* SPDX-License-Identifier: Apache-2.0 */
/*
 * challenge.c - how a registry wants to be told who we are: WWW-Authenticate
 *
 * RFC 9110 section 11.6.1: a list of challenges, each a scheme and a list of parameters, both
 * separated by commas; so after a comma a word is a parameter if '=' follows it, else a scheme.
 * Several headers are one list. Nothing is taken from a challenge that breaks the grammar, and what
 * follows it is not looked at.
 */
#include "images/challenge.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>

/* RFC 9110 section 5.6.2 */
#define TOKEN_CHARS                                           \
	"!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ" \
	"abcdefghijklmnopqrstuvwxyz"
#define BLANKS " \t"

/* The value at *p, a token or a quoted string, into @value; -errno if it is neither or too long. */
static int take_value(const char **p, char *value)
{
	const char *s = *p;
	size_t n = 0;

	if (*s != '"') {
		n = strspn(s, TOKEN_CHARS "/:"); /* some servers do not quote URLs */
		if (n == 0 || n >= SB_CHALLENGE_VALUE_SIZE)
			return -EPROTO;
		memcpy(value, s, n);
		value[n] = '\0';
		*p = s + n;
		return 0;
	}
	for (s++; *s != '"'; s++) {
		if (*s == '\\')
			s++;
		/* Neither the end of the text nor what could end a header of ours. */
		if ((unsigned char)*s < 0x20 || *s == 0x7f || n + 1 >= SB_CHALLENGE_VALUE_SIZE)
			return -EPROTO;
		value[n++] = *s;
	}
	value[n] = '\0';
	*p = s + 1;
	return 0;
}

/* If a parameter begins at @p: its value's place, and the length of its name; else NULL. */
static const char *parameter_at(const char *p, size_t *ret_name_len)
{
	size_t n = strspn(p, TOKEN_CHARS);
	const char *eq = p + n + strspn(p + n, BLANKS);

	if (n == 0 || *eq != '=')
		return NULL;
	*ret_name_len = n;
	return eq + 1 + strspn(eq + 1, BLANKS);
}

/* "Negotiate <base64>": of schemes that we do not know, one word may follow instead of parameters.
 */
static size_t word_length(const char *p)
{
	size_t n = strspn(p, TOKEN_CHARS "/");

	n += strspn(p + n, "=");
	p += n + strspn(p + n, BLANKS);
	return *p && *p != ',' ? 0 : n;
}

static bool is_name(const char *p, size_t len, const char *name)
{
	return len == strlen(name) && !strncasecmp(p, name, len);
}

/* Commas and blanks in any number: empty elements of a list are legal (section 5.6.1). */
static const char *skip_commas(const char *p)
{
	return p + strspn(p, BLANKS ",");
}

/* The parameters at *p, up to the next scheme or the end. */
static int take_parameters(const char **p, struct sb_challenge *c)
{
	char value[SB_CHALLENGE_VALUE_SIZE];
	const char *at;
	size_t n;

	while ((at = parameter_at(*p, &n)) != NULL) {
		const char *name = *p;

		*p = at;
		if (take_value(p, value) < 0)
			return -EPROTO;
		if (is_name(name, n, "realm"))
			strcpy(c->realm, value);
		else if (is_name(name, n, "service"))
			strcpy(c->service, value);
		*p += strspn(*p, BLANKS);
		if (**p && **p != ',')
			return -EPROTO;
		*p = skip_commas(*p);
	}
	return 0;
}

/**
 * sb_challenge_parse() - Choose among the challenges of an answer
 * @header:	all WWW-Authenticate headers, joined by commas; from a stranger
 * @ret:	Bearer if it is offered, else Basic, else none
 */
void sb_challenge_parse(const char *header, struct sb_challenge *ret)
{
	const char *p = skip_commas(header);

	*ret = (struct sb_challenge){ .scheme = SB_CHALLENGE_NONE };
	while (*p) {
		struct sb_challenge c = { .scheme = SB_CHALLENGE_NONE };
		size_t n = strspn(p, TOKEN_CHARS);
		const char *scheme = p;

		if (n == 0)
			return;
		p += n;
		if (*p && !strchr(BLANKS ",", *p))
			return;
		p += strspn(p, BLANKS);
		p = skip_commas(p + word_length(p));
		if (take_parameters(&p, &c) < 0)
			return;
		n = strcspn(scheme, BLANKS ",");
		if (is_name(scheme, n, "Bearer") && c.realm[0])
			c.scheme = SB_CHALLENGE_BEARER;
		else if (is_name(scheme, n, "Basic"))
			c.scheme = SB_CHALLENGE_BASIC;
		if (c.scheme > ret->scheme)
			*ret = c;
	}
}
