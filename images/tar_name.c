/* SPDX-License-Identifier: Apache-2.0 */
/* tar_name.c - names and attributes of tar entries: checked, and fit to be shown */
#include "images/tar.h"

#include <errno.h>
#include <string.h>

#include "runtime/base/err.h"

/**
 * sb_tar_next_xattr() - Walk through the extended attributes of an entry
 * @entry:	entry
 * @pos:	0 at first, then left alone
 * @ret:	attribute, borrowed from @entry
 *
 * Return: 1, or 0 after the last one
 */
int sb_tar_next_xattr(const struct sb_tar_entry *entry, size_t *pos, struct sb_tar_xattr *ret)
{
	const char *p = entry->xattrs + *pos;
	uint32_t len;

	if (*pos >= entry->xattrs_len)
		return 0;
	ret->name = p;
	p += strlen(p) + 1;
	memcpy(&len, p, sizeof(len));
	ret->value = p + sizeof(len);
	ret->len = len;
	*pos = (size_t)(p + sizeof(len) + len - entry->xattrs);
	return 1;
}

/**
 * sb_tar_clean_path() - Check a path of an archive and bring it into one form
 * @path:	as it stands
 * @depth_max:	most components
 * @ret:	relative, without empty and "." components; "" is the root. Room for
 *		SB_LAYER_PATH_SIZE bytes
 *
 * A leading slash means the root of the layer, as for every unpacker. ".." is refused: no builder
 * writes it.
 *
 * Return: 0 or -EPROTO
 */
int sb_tar_clean_path(const char *path, unsigned int depth_max, char *ret, struct sb_err *err)
{
	unsigned int depth = 0;
	size_t n = 0;

	for (;;) {
		size_t len;

		path += strspn(path, "/");
		len = strcspn(path, "/");
		if (len == 0)
			break;
		if (len == 2 && !memcmp(path, "..", 2))
			return sb_err_refuse(err, EPROTO, "a path with '..' is refused");
		if (len == 1 && *path == '.') {
			path++;
			continue;
		}
		if (len > SB_LAYER_NAME_MAX)
			return sb_err_refuse(err, EPROTO, "a name is longer than %d bytes",
					     SB_LAYER_NAME_MAX);
		if (++depth > depth_max) {
			sb_err_refuse(err, EPROTO, "a path has more than %u components", depth_max);
			return sb_err_hint(err, SB_LAYER_LIMIT_HINT, "depth");
		}
		if (n + 1 + len >= SB_LAYER_PATH_SIZE)
			return sb_err_refuse(err, EPROTO, "a path is longer than %d bytes",
					     SB_LAYER_PATH_SIZE - 1);
		if (n > 0)
			ret[n++] = '/';
		memcpy(ret + n, path, len);
		n += len;
		path += len;
	}
	ret[n] = '\0';
	return 0;
}

/**
 * sb_tar_shown() - A name of an archive, fit for a terminal and for JSON
 * @name:	bytes with a NUL
 * @buf:	room for SB_TAR_SHOWN_SIZE bytes; '?' stands for what is not printable ASCII, and
 *	the front of an overlong name is left out
 *
 * Return: @buf
 */
const char *sb_tar_shown(const char *name, char *buf)
{
	size_t len = strlen(name);
	size_t n = 0;

	if (len >= SB_TAR_SHOWN_SIZE) {
		name += len - (SB_TAR_SHOWN_SIZE - 4);
		memcpy(buf, "...", 3);
		n = 3;
	}
	for (; *name; name++)
		buf[n++] = *name >= 0x20 && *name < 0x7f ? *name : '?';
	buf[n] = '\0';
	return buf;
}
