/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_login.c - sbrun-image login, logout: credentials for a registry */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

#include "images/command.h"
#include "images/credentials.h"
#include "images/hosts.h"
#include "images/login.h"
#include "images/prompt.h"
#include "images/settings.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/err.h"
#include "runtime/base/json.h"

#define SECRET_SIZE (64 << 10)
#define LINE_SIZE   4096

/* All of standard input, without the end of its last line. */
static int read_stdin(char *buf, size_t size, struct sb_err *err)
{
	size_t len = 0;
	ssize_t n;

	while ((n = read(STDIN_FILENO, buf + len, size - len)) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return sb_err_set(err, errno, "read the password");
		len += (size_t)n;
		if (len == size)
			return sb_err_refuse(err, EMSGSIZE, "the password is longer than %zu bytes",
					     size - 1);
	}
	if (len > 0 && buf[len - 1] == '\n')
		len--;
	if (len > 0 && buf[len - 1] == '\r')
		len--;
	buf[len] = '\0';
	if (len == 0 || strlen(buf) != len || strchr(buf, '\n'))
		return sb_err_refuse(err, EINVAL, "standard input is not one line with a password");
	return 0;
}

static int take_username(const struct sb_image_options *o, struct sb_credentials *c,
			 struct sb_err *err)
{
	char line[LINE_SIZE];
	const char *name = o->username;

	if (!name && o->password_stdin)
		return sb_err_refuse(err, EINVAL, "'--password-stdin' needs '--username'");
	if (!name && sb_prompt("Username: ", false, line, sizeof(line), err) < 0)
		return sb_err_hint(err, "'--username' and '--password-stdin' need no terminal");
	c->username = strdup(name ? name : line);
	if (!c->username)
		return sb_err_set(err, ENOMEM, "keep the user name");
	/* RFC 7617 section 2: the first colon ends the user name. */
	if (!c->username[0] || strchr(c->username, ':'))
		return sb_err_refuse(err, EINVAL, "a user name is not empty and has no colon");
	return 0;
}

static int take_password(const struct sb_image_options *o, struct sb_credentials *c,
			 struct sb_err *err)
{
	c->password = calloc(1, SECRET_SIZE);
	if (!c->password)
		return sb_err_set(err, ENOMEM, "keep the password");
	if (o->password_stdin)
		return read_stdin(c->password, SECRET_SIZE, err);
	if (sb_prompt("Password: ", true, c->password, LINE_SIZE, err) < 0)
		return sb_err_hint(err, "'--password-stdin' reads it from standard input");
	return 0;
}

/* Takes @o over. */
static int print_json(json_t *o, struct sb_err *err)
{
	_cleanup_free_ char *text = o ? json_dumps(o, JSON_INDENT(2)) : NULL;

	json_decref(o);
	if (!text || puts(text) == EOF || fflush(stdout) == EOF)
		return sb_err_set(err, errno, "write to standard output");
	return 0;
}

static int login(const struct sb_image_options *o, const char *host, struct sb_credentials *c,
		 struct sb_err *err)
{
	struct sb_settings settings = SB_SETTINGS_INIT;
	struct sb_hosts *hosts = NULL;
	char where[256] = "";
	int r;

	if (sb_settings_load(&settings, err) < 0 ||
	    sb_settings_check_allowed(&settings, host, err) < 0 || take_username(o, c, err) < 0 ||
	    take_password(o, c, err) < 0) {
		sb_settings_done(&settings);
		return -err->code;
	}
	hosts = sb_hosts_for_login(host, &settings, c, err);
	r = hosts ? sb_login_verify(hosts, err) : -err->code;
	sb_hosts_free(hosts);
	sb_settings_done(&settings);
	if (r < 0)
		return r;
	if (sb_credentials_store(host, c, where, sizeof(where), err) < 0)
		return -err->code;
	if (o->json)
		return print_json(json_pack("{s:s, s:s, s:s}", "registry", host, "username",
					    c->username, "storedIn", where),
				  err);
	printf("Logged in: %s (kept in %s)\n", host, where);
	return fflush(stdout) == EOF ? sb_err_set(err, errno, "write to standard output") : 0;
}

/**
 * sb_command_login() - Try a user name and a password at a registry, keep them if they are accepted
 * @o:	command line
 *
 * The password comes from standard input or from the terminal, never from the command line, which
 * everybody can read.
 *
 * Return: 0, or a negative errno value with nothing kept
 */
int sb_command_login(const struct sb_image_options *o, struct sb_err *err)
{
	struct sb_credentials c = SB_CREDENTIALS_INIT;
	char host[SB_REFERENCE_NAME_MAX + 1];
	int r = sb_reference_parse_host(o->args[0], host, err);

	if (r == 0)
		r = login(o, host, &c, err);
	sb_credentials_done(&c);
	return r;
}

/**
 * sb_command_logout() - Forget the credentials for a registry
 * @o:	command line
 *
 * Those for single repositories of it are kept, and shown.
 *
 * Return: 0, also if there were none, or a negative errno value
 */
int sb_command_logout(const struct sb_image_options *o, struct sb_err *err)
{
	_cleanup_json_ json_t *kept = json_array();
	char host[SB_REFERENCE_NAME_MAX + 1];
	const json_t *entry;
	size_t i;
	int r;

	if (sb_reference_parse_host(o->args[0], host, err) < 0)
		return -err->code;
	r = sb_credentials_erase(host, kept, err);
	if (r < 0)
		return r;
	if (o->json)
		return print_json(
			json_pack("{s:s, s:b, s:O}", "registry", host, "removed", r, "kept", kept),
			err);
	printf("%s: %s\n", r ? "Logged out" : "Was not logged in", host);
	json_array_foreach(kept, i, entry)
		printf("still there: %s in %s\n", json_string_value(json_object_get(entry, "name")),
		       json_string_value(json_object_get(entry, "file")));
	return fflush(stdout) == EOF ? sb_err_set(err, errno, "write to standard output") : 0;
}
