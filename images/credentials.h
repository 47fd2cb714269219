/* SPDX-License-Identifier: Apache-2.0 */
/*
 * credentials.h - user names and passwords for registries, where docker and podman keep them
 */
#ifndef SB_IMAGES_CREDENTIALS_H
#define SB_IMAGES_CREDENTIALS_H

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

struct sb_err;

/**
 * struct sb_credentials - what to show a registry; everything is owned
 * @username:		NULL: none
 * @password:		NULL: none
 * @identity_token:	OAuth2 refresh token, instead of a password; NULL: none
 * @source:		file or program that has them, for people; NULL: the user has typed them
 */
struct sb_credentials {
	char *username;
	char *password;
	char *identity_token;
	char *source;
};

#define SB_CREDENTIALS_INIT      \
	{                        \
		.username = NULL \
	}

int sb_credentials_find(const char *name, struct sb_credentials *ret, struct sb_err *err);
int sb_credentials_store(const char *host, const struct sb_credentials *credentials,
			 char *ret_where, size_t size, struct sb_err *err);
int sb_credentials_erase(const char *host, json_t *kept, struct sb_err *err);
void sb_credentials_done(struct sb_credentials *credentials);

#endif /* SB_IMAGES_CREDENTIALS_H */
