/* SPDX-License-Identifier: Apache-2.0 */
/* pax.c - records of extended tar headers (POSIX.1-2017, pax, "pax Header Block") */
#include "images/pax.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "images/sparse.h"
#include "images/tar.h"
#include "runtime/base/err.h"
#include "runtime/base/num.h"

#define XATTR       "SCHILY.xattr." /* star's key, the one that all image builders write */
#define GNU_SPARSE  "GNU.sparse."
#define ID_MAX      UINT64_C(0xfffffffe) /* 2^32-1 is "no id" to chown(2) */
#define NSEC_DIGITS 9

/* One record, with a NUL after key and value. */
struct record {
	const char *key;
	const char *value;
	size_t value_len;
};

/**
 * sb_pax_set_name() - Take over a path or link target from an extended header
 * @ret:	room for SB_LAYER_PATH_SIZE bytes
 * @ret_has:	set unless the value is empty, which means: as in the plain header
 * @value:	bytes
 * @len:	how many
 *
 * Return: 0 or -EPROTO (a NUL inside, or too long)
 */
int sb_pax_set_name(char *ret, bool *ret_has, const char *value, size_t len, struct sb_err *err)
{
	if (len >= SB_LAYER_PATH_SIZE)
		return sb_err_refuse(err, EPROTO, "a name is longer than %d bytes",
				     SB_LAYER_PATH_SIZE - 1);
	if (memchr(value, '\0', len))
		return sb_err_refuse(err, EPROTO, "a name has a NUL inside");
	memcpy(ret, value, len);
	ret[len] = '\0';
	*ret_has = len > 0;
	return 0;
}

static int set_number(uint64_t *ret, bool *ret_has, const struct record *r, uint64_t max,
		      struct sb_err *err)
{
	*ret_has = false;
	if (r->value_len == 0)
		return 0; /* "as in the plain header" */
	if (sb_parse_u64(r->value, max, ret) < 0 || strlen(r->value) != r->value_len)
		return sb_err_refuse(err, EPROTO, "extended header: '%s' is not a number in range",
				     r->key);
	*ret_has = true;
	return 0;
}

/* "[-]seconds[.fraction]" */
static int set_time(struct timespec *ret, bool *ret_has, const struct record *r, struct sb_err *err)
{
	bool negative = r->value[0] == '-';
	const char *p = r->value + negative;
	char seconds[24] = "";
	size_t n = strspn(p, "0123456789");
	uint64_t value;
	long nsec = 0;

	*ret_has = false;
	if (r->value_len == 0)
		return 0;
	if (n < sizeof(seconds))
		memcpy(seconds, p, n);
	if (sb_parse_u64(seconds, INT64_MAX, &value) < 0)
		return sb_err_refuse(err, EPROTO, "extended header: 'mtime' is not a time");
	p += n;
	if (*p == '.') {
		p++;
		for (int i = 0; i < NSEC_DIGITS; i++)
			nsec = nsec * 10 + (*p >= '0' && *p <= '9' ? *p++ - '0' : 0);
		p += strspn(p, "0123456789");
	}
	if (p != r->value + r->value_len)
		return sb_err_refuse(err, EPROTO, "extended header: 'mtime' is not a time");
	/* A fraction before 1970 is dropped: no tool writes one that matters. */
	*ret = (struct timespec){ .tv_sec = negative ? -(time_t)value : (time_t)value,
				  .tv_nsec = negative ? 0 : nsec };
	*ret_has = true;
	return 0;
}

/* Append "name NUL, length (4 bytes), value". */
static int add_xattr(struct sb_pax *pax, const struct record *r, size_t max, struct sb_err *err)
{
	const char *name = r->key + sizeof(XATTR) - 1;
	size_t name_size = strlen(name) + 1;
	uint32_t value_len = (uint32_t)r->value_len;
	size_t need = name_size + sizeof(value_len) + r->value_len;

	if (name_size == 1 || name_size > SB_LAYER_NAME_MAX + 1)
		return sb_err_refuse(err, EPROTO, "the name of an extended attribute is too %s",
				     name_size == 1 ? "short" : "long");
	if (r->value_len > max || pax->xattrs_len + need > max) {
		sb_err_refuse(err, EPROTO, "extended attributes are longer than %zu bytes", max);
		return sb_err_hint(err, SB_LAYER_LIMIT_HINT, "xattrBytes");
	}
	if (!pax->xattrs)
		pax->xattrs = malloc(max);
	if (!pax->xattrs)
		return sb_err_set(err, ENOMEM, "read extended attributes");
	memcpy(pax->xattrs + pax->xattrs_len, name, name_size);
	memcpy(pax->xattrs + pax->xattrs_len + name_size, &value_len, sizeof(value_len));
	memcpy(pax->xattrs + pax->xattrs_len + name_size + sizeof(value_len), r->value,
	       r->value_len);
	pax->xattrs_len += need;
	return 0;
}

/* Take "<length> <key>=<value>\n" off the front of *@text. */
static int next_record(char **text, size_t *left, struct record *ret, struct sb_err *err)
{
	char *p = *text;
	size_t digits = 0, len = 0;
	char *end, *eq;

	while (digits < *left && digits < 8 && p[digits] >= '0' && p[digits] <= '9')
		len = len * 10 + (size_t)(p[digits++] - '0');
	/* Shortest: "5 a=\n" */
	if (digits == 0 || digits >= *left || p[digits] != ' ' || len > *left || len < digits + 4 ||
	    p[len - 1] != '\n')
		return sb_err_refuse(err, EPROTO, "extended header: broken record");
	end = p + len - 1;
	p += digits + 1;
	eq = memchr(p, '=', (size_t)(end - p));
	if (!eq || eq == p || memchr(p, '\0', (size_t)(eq - p)))
		return sb_err_refuse(err, EPROTO, "extended header: broken record");
	*eq = '\0';
	*end = '\0';
	*ret = (struct record){ .key = p, .value = eq + 1, .value_len = (size_t)(end - eq - 1) };
	*text += len;
	*left -= len;
	return 0;
}

static bool is_xattr(const struct record *r)
{
	return !strncmp(r->key, XATTR, sizeof(XATTR) - 1);
}

static bool is_sparse(const struct record *r)
{
	return !strncmp(r->key, GNU_SPARSE, sizeof(GNU_SPARSE) - 1);
}

static int take_sparse(struct sb_pax *pax, const struct record *r, struct sb_err *err)
{
	const char *key = r->key + sizeof(GNU_SPARSE) - 1;

	if (strlen(r->value) != r->value_len)
		return sb_err_refuse(err, EPROTO,
				     "extended header: unknown record of a sparse file");
	if (strcmp(key, "name") != 0)
		return sb_sparse_take_record(pax->sparse, key, r->value, err);
	pax->sparse->used = true;
	if (sb_pax_set_name(pax->path, &pax->has_path, r->value, r->value_len, err) < 0)
		return -err->code;
	pax->real_name = pax->has_path;
	return 0;
}

/* Anything but an extended attribute. */
static int take_record(struct sb_pax *pax, const struct record *r, struct sb_err *err)
{
	if (!strcmp(r->key, "path") && pax->real_name)
		return 0;
	if (!strcmp(r->key, "path"))
		return sb_pax_set_name(pax->path, &pax->has_path, r->value, r->value_len, err);
	if (!strcmp(r->key, "linkpath"))
		return sb_pax_set_name(pax->link, &pax->has_link, r->value, r->value_len, err);
	if (!strcmp(r->key, "size"))
		return set_number(&pax->size, &pax->has_size, r, INT64_MAX, err);
	if (!strcmp(r->key, "uid"))
		return set_number(&pax->uid, &pax->has_uid, r, ID_MAX, err);
	if (!strcmp(r->key, "gid"))
		return set_number(&pax->gid, &pax->has_gid, r, ID_MAX, err);
	if (!strcmp(r->key, "mtime"))
		return set_time(&pax->mtime, &pax->has_mtime, r, err);
	if (is_sparse(r))
		return take_sparse(pax, r, err);
	return 0; /* names of users, other times, comments: nothing we store */
}

/**
 * sb_pax_parse() - Take over the records of an extended header
 * @pax:	what later entries are to be like; the last record of a key wins
 * @records:	body of the header; separators are overwritten
 * @len:	its length
 * @xattr_max:	most bytes of extended attributes
 *
 * Return: 0, or a negative errno value (-EPROTO: broken or over a limit)
 */
int sb_pax_parse(struct sb_pax *pax, char *records, size_t len, size_t xattr_max,
		 struct sb_err *err)
{
	struct record r;

	while (len > 0) {
		if (next_record(&records, &len, &r, err) < 0 ||
		    (is_xattr(&r) ? add_xattr(pax, &r, xattr_max, err)
				  : take_record(pax, &r, err)) < 0)
			return -err->code;
	}
	return 0;
}

/**
 * sb_pax_parse_global() - Take over the records of a global extended header
 * @pax:	owner, group and time for all entries that follow
 * @records:	body of the header; separators are overwritten
 * @len:	its length
 *
 * Other readers disagree on whether a global name, size or attribute counts, so such a header would
 * unpack differently elsewhere: refused.
 *
 * Return: 0 or -EPROTO
 */
int sb_pax_parse_global(struct sb_pax *pax, char *records, size_t len, struct sb_err *err)
{
	char shown[SB_TAR_SHOWN_SIZE];
	struct record r;

	while (len > 0) {
		if (next_record(&records, &len, &r, err) < 0)
			return -err->code;
		if (!strcmp(r.key, "path") || !strcmp(r.key, "linkpath") ||
		    !strcmp(r.key, "size") || is_xattr(&r) || is_sparse(&r))
			return sb_err_refuse(err, EPROTO, "global extended header sets '%s'",
					     sb_tar_shown(r.key, shown));
		if (take_record(pax, &r, err) < 0)
			return -err->code;
	}
	return 0;
}

/**
 * sb_pax_reset() - Forget what was said about an entry
 * @pax:	says nothing afterwards; memory for attributes is kept for the next entry
 */
void sb_pax_reset(struct sb_pax *pax)
{
	pax->xattrs_len = 0;
	pax->has_path = pax->real_name = pax->has_link = pax->has_size = false;
	pax->has_uid = pax->has_gid = pax->has_mtime = false;
}

/**
 * sb_pax_done() - Free what was taken over
 * @pax:	used or not
 */
void sb_pax_done(struct sb_pax *pax)
{
	free(pax->xattrs);
	pax->xattrs = NULL;
	sb_pax_reset(pax);
}
