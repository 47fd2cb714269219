/* SPDX-License-Identifier: Apache-2.0 */
/*
 * user.c - who a program in a container runs as
 *
 * /etc/passwd and /etc/group belong to the image, or to whoever runs in it by now: they are read by
 * descriptor, bounded, without the host's name services, and lines that are not well formed count
 * as absent. A word of digits only is an id and never a name (CVE-2026-46680: an id beyond 32 bits
 * was looked up as a name and found to be root).
 */
#include "runtime/container/user.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/num.h"
#include "runtime/base/path.h"

#define FILE_MAX ((size_t)1024 * 1024) /* bytes; 64 groups and 10,000 users need less */
#define ID_MAX   4294967294U           /* (uid_t)-1 means "no change" to setresuid(2) */
#define NAME_LEN 256                   /* LOGIN_NAME_MAX, limits.h */

/* One half of a user string: a name, or the number it is (@is_id). */
struct who {
	char name[NAME_LEN];
	bool is_id;
	uint32_t id;
};

static bool parse_id(const char *s, uint32_t *ret)
{
	uint64_t n;

	if (sb_parse_u64(s, ID_MAX, &n) < 0)
		return false;
	*ret = (uint32_t)n;
	return true;
}

/* useradd(8) plus a few characters that directories use; no digit first, so that "0x1" is none. */
static bool is_name(const char *s)
{
	if (!isalpha((unsigned char)*s) && *s != '_')
		return false;
	for (; *s; s++)
		if (!isalnum((unsigned char)*s) && !strchr("_.@$-", *s))
			return false;
	return true;
}

/* Read the @len bytes at @s, which are the @what ("user", "group") of @spec. */
static int parse_who(const char *s, size_t len, const char *what, const char *spec, struct who *ret,
		     struct sb_err *err)
{
	if (len == 0)
		return sb_err_refuse(err, EINVAL, "user '%s': empty %s", spec, what);
	if (len >= sizeof(ret->name))
		return sb_err_refuse(err, EINVAL, "user '%.32s…': %s longer than %zu bytes", spec,
				     what, sizeof(ret->name) - 1);
	memcpy(ret->name, s, len);
	ret->name[len] = '\0';
	ret->is_id = strspn(ret->name, "0123456789") == len;
	if (ret->is_id && !parse_id(ret->name, &ret->id))
		return sb_err_refuse(err, EINVAL, "user '%s': %s id beyond %u", spec, what, ID_MAX);
	if (!ret->is_id && !is_name(ret->name))
		return sb_err_refuse(err, EINVAL, "user '%s': neither a %s name nor a number", spec,
				     what);
	return 0;
}

/* Read a file of the image; a file that is not there reads as empty. */
static int read_db(int rootfd, const char *path, char **ret, struct sb_err *err)
{
	_cleanup_fd_ int fd = sb_open_in_root(rootfd, path, O_RDONLY, 0);
	_cleanup_free_ char *text = NULL;
	size_t len;

	if (fd == -ENOENT || fd == -ENOTDIR) {
		*ret = strdup("");
		return *ret ? 0 : sb_err_set(err, ENOMEM, "read the image's '%s'", path);
	}
	if (fd < 0) {
		sb_err_set(err, -fd, "open '%s'", path);
	} else if (sb_read_fd(fd, path, FILE_MAX, &text, &len, err) == 0) {
		/* A NUL must spoil its own line only, not hide those below. */
		for (size_t i = 0; i < len; i++)
			if (!text[i])
				text[i] = '?';
		*ret = sb_steal_ptr(&text);
		return 0;
	}
	sb_err_prefix(err, "the container's user database");
	return sb_err_hint(err, "give user and group as numbers, UID:GID");
}

/*
 * Step to the next line of a database and cut it into its fields.
 *
 * @rest: where to go on, NULL at the end; @n: fields a line must have (more are dropped).
 * Return: whether there was a line; lines with fewer fields are skipped.
 */
static bool next_line(char **rest, char **fields, size_t n)
{
	char *line;

	while ((line = strsep(rest, "\n"))) {
		size_t i = 0;

		while (i < n && (fields[i] = strsep(&line, ":")))
			i++;
		if (i == n)
			return true;
	}
	return false;
}

static bool list_has(char *list, const char *name)
{
	char *member;

	while ((member = strsep(&list, ",")))
		if (!strcmp(member, name))
			return true;
	return false;
}

/*
 * Look @who up in /etc/passwd (passwd(5)); the first line that fits counts, as in libc.
 *
 * @ret_name: the name found, room for NAME_LEN bytes.
 * Return: 1 if found, else 0
 */
static int find_user(char *passwd, const struct who *who, char *ret_name, struct sb_user *ret)
{
	enum { NAME, PASSWORD, UID, GID, GECOS, HOME, N_FIELDS };
	char *f[N_FIELDS];

	while (next_line(&passwd, f, N_FIELDS)) {
		uint32_t uid, gid;

		if (!parse_id(f[UID], &uid) || !parse_id(f[GID], &gid))
			continue;
		if (who->is_id ? uid != who->id : strcmp(f[NAME], who->name) != 0)
			continue;
		if (strlen(f[NAME]) >= NAME_LEN)
			continue;
		strcpy(ret_name, f[NAME]);
		ret->uid = uid;
		ret->gid = gid;
		if (f[HOME][0] == '/' && strlen(f[HOME]) < sizeof(ret->home))
			strcpy(ret->home, f[HOME]);
		return 1;
	}
	return 0;
}

/* Return: 1 and the id of the group called @name, or 0 if there is none */
static int find_group(char *group, const char *name, gid_t *ret)
{
	enum { NAME, PASSWORD, GID, N_FIELDS };
	char *f[N_FIELDS];

	while (next_line(&group, f, N_FIELDS))
		if (!strcmp(f[NAME], name) && parse_id(f[GID], ret))
			return 1;
	return 0;
}

/* Add the groups of /etc/group (group(5)) that list @name as a member. */
static int add_memberships(char *group, const char *name, struct sb_user *user, struct sb_err *err)
{
	enum { NAME, PASSWORD, GID, MEMBERS, N_FIELDS };
	char *f[N_FIELDS];

	while (next_line(&group, f, N_FIELDS)) {
		bool is_known = false;
		uint32_t gid;

		if (!parse_id(f[GID], &gid) || !list_has(f[MEMBERS], name))
			continue;
		for (size_t i = 0; i < user->n_groups; i++)
			is_known |= user->groups[i] == gid;
		if (is_known)
			continue;
		/* Left out, a group could grant what its members are denied: refuse instead. */
		if (user->n_groups == SB_USER_GROUPS_MAX)
			return sb_err_refuse(err, EINVAL, "user '%s' is in more than %d groups",
					     name, SB_USER_GROUPS_MAX);
		user->groups[user->n_groups++] = gid;
	}
	return 0;
}

/* Find the user half: ids and home into @user, and the name, if it has one, into @name. */
static int resolve_user(int rootfd, const struct who *who, bool has_group_id, char *name,
			struct sb_user *user, struct sb_err *err)
{
	_cleanup_free_ char *passwd = NULL;
	int r = read_db(rootfd, "/etc/passwd", &passwd, err);

	/* With both ids given only the home directory is at stake: a way in whatever is there. */
	if (r < 0 && !(who->is_id && has_group_id))
		return r;
	if (r == 0 && find_user(passwd, who, name, user))
		return 0;
	if (!who->is_id)
		return sb_err_set(err, ENOENT, "find user '%s' in the container's /etc/passwd",
				  who->name);
	user->uid = who->id;
	user->gid = 0; /* as Docker; the image-spec leaves it open */
	return 0;
}

/* Fill in the groups: the one that was asked for alone, or those of the user called @name. */
static int resolve_groups(int rootfd, const struct who *group, const char *name,
			  struct sb_user *user, struct sb_err *err)
{
	_cleanup_free_ char *db = NULL;

	if (group && group->is_id)
		user->gid = group->id;
	else if ((group || name[0]) && read_db(rootfd, "/etc/group", &db, err) < 0)
		return -err->code;
	if (group && !group->is_id && !find_group(db, group->name, &user->gid))
		return sb_err_set(err, ENOENT, "find group '%s' in the container's /etc/group",
				  group->name);
	user->groups[0] = user->gid;
	user->n_groups = 1;
	return !group && name[0] ? add_memberships(db, name, user, err) : 0;
}

/**
 * sb_user_resolve() - Find out what a user string means in a container
 * @rootfd:	its root directory; borrowed
 * @spec:	"" (user 0), "USER", "USER:GROUP"; each a name or a decimal id
 * @ret:	ids, groups and home directory
 *
 * A user without an explicit group gets the primary group of /etc/passwd (0 if the id is not there)
 * and the supplementary ones of /etc/group; an explicit group replaces them all (OCI image-spec,
 * config.md "User"). The primary group is repeated in the list, so that a set-group-ID program
 * cannot shed it (CVE-2022-36109). Ids up to 4294967294 are understood; whether the container has
 * them is for the caller to see. Nothing is read with "UID:GID" that could fail.
 *
 * Return: 0, or a negative errno value (-EINVAL: not a user string, or a database that is not a
 * regular file, or more than SB_USER_GROUPS_MAX groups; -EFBIG: database over 1 MiB; -ENOENT: no
 * such user or group)
 */
int sb_user_resolve(int rootfd, const char *spec, struct sb_user *ret, struct sb_err *err)
{
	const char *text = *spec ? spec : "0";
	size_t len = strcspn(text, ":");
	bool has_group = text[len] == ':';
	struct sb_user user = { .home = "/" };
	struct who who = { .is_id = false }, group = who;
	char name[NAME_LEN] = "";

	if (parse_who(text, len, "user", spec, &who, err) < 0)
		return -err->code;
	if (has_group &&
	    parse_who(text + len + 1, strlen(text + len + 1), "group", spec, &group, err) < 0)
		return -err->code;
	if (resolve_user(rootfd, &who, has_group && group.is_id, name, &user, err) < 0 ||
	    resolve_groups(rootfd, has_group ? &group : NULL, name, &user, err) < 0)
		return -err->code;
	*ret = user;
	return 0;
}
