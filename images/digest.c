/* SPDX-License-Identifier: Apache-2.0 */
/* digest.c - the text form of content digests, and the file names made from them */
#include "images/digest.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "runtime/base/err.h"

#define PREFIX     "sha256:"
#define PREFIX_LEN (sizeof(PREFIX) - 1)

/**
 * sb_digest_is_valid() - Whether a word is a sha256 digest
 * @digest:	word, from anywhere
 *
 * Return: true for "sha256:" followed by exactly 64 lower-case hex digits
 */
bool sb_digest_is_valid(const char *digest)
{
	if (strncmp(digest, PREFIX, PREFIX_LEN) != 0)
		return false;
	return strspn(digest + PREFIX_LEN, "0123456789abcdef") == SB_DIGEST_HEX_LEN &&
	       !digest[SB_DIGEST_LEN];
}

/**
 * sb_digest_check() - Refuse a word that is not a sha256 digest
 * @digest:	word, from anywhere
 * @of:		what it is the digest of, for the message
 *
 * Return: 0 or -EPROTO
 */
int sb_digest_check(const char *digest, const char *of, struct sb_err *err)
{
	if (sb_digest_is_valid(digest))
		return 0;
	/* Only the algorithm is shown: the rest may be anything. */
	if (!strncmp(digest, PREFIX, PREFIX_LEN))
		return sb_err_refuse(err, EPROTO, "digest of the %s is not 64 hex digits", of);
	return sb_err_refuse(err, EPROTO, "digest of the %s is not a sha256 digest", of);
}

/**
 * sb_digest_file_name() - The name under which the store keeps what a digest stands for
 * @digest:	valid digest
 * @ret_name:	"sha256-<hex>", room for SB_DIGEST_SIZE bytes
 *
 * A colon separates the layers in overlay's mount options, so a file name has none.
 */
void sb_digest_file_name(const char *digest, char *ret_name)
{
	snprintf(ret_name, SB_DIGEST_SIZE, "sha256-%.*s", SB_DIGEST_HEX_LEN, digest + PREFIX_LEN);
}

/**
 * sb_digest_layout_path() - Where an OCI layout keeps a blob (image-layout.md)
 * @digest:	valid digest
 * @ret_path:	"blobs/sha256/<hex>", room for SB_DIGEST_PATH_SIZE bytes
 */
void sb_digest_layout_path(const char *digest, char *ret_path)
{
	snprintf(ret_path, SB_DIGEST_PATH_SIZE, "blobs/sha256/%.*s", SB_DIGEST_HEX_LEN,
		 digest + PREFIX_LEN);
}

/**
 * sb_digest_from_file_name() - The digest that a name in the store stands for
 * @name:	name of a directory entry
 * @ret_digest:	room for SB_DIGEST_SIZE bytes
 *
 * Return: 0, or -EINVAL if the name stands for none
 */
int sb_digest_from_file_name(const char *name, char *ret_digest)
{
	char digest[SB_DIGEST_SIZE];

	if (strlen(name) != SB_DIGEST_LEN || name[PREFIX_LEN - 1] != '-')
		return -EINVAL;
	memcpy(digest, name, sizeof(digest));
	digest[PREFIX_LEN - 1] = ':';
	if (!sb_digest_is_valid(digest))
		return -EINVAL;
	memcpy(ret_digest, digest, sizeof(digest));
	return 0;
}
