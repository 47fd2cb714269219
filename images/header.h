/* SPDX-License-Identifier: Apache-2.0 */
/*
 * header.h - one header block of a tar (POSIX.1-2017, pax, "ustar Header Block")
 */
#ifndef SB_IMAGES_HEADER_H
#define SB_IMAGES_HEADER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sb_err;

#define SB_HEADER_BYTES 512

/**
 * struct sb_header - the block as it stands: fields are not terminated if they are full
 * @name:	last or only part of the path
 * @mode:	permission bits, a number as text, as are the others up to @checksum
 * @uid:	owner
 * @gid:	group
 * @size:	bytes of content
 * @mtime:	seconds since the epoch
 * @checksum:	sum of all bytes
 * @type:	type flag
 * @link:	link target
 * @magic:	"ustar" and a NUL: POSIX; "ustar" and a blank: GNU; else older
 * @version:	not looked at
 * @user:	not looked at
 * @group:	not looked at
 * @dev_major:	of a device, number as text
 * @dev_minor:	likewise
 * @prefix:	POSIX: first part of the path
 * @pad:	not looked at
 */
struct sb_header {
	char name[100];
	char mode[8];
	char uid[8];
	char gid[8];
	char size[12];
	char mtime[12];
	char checksum[8];
	char type;
	char link[100];
	char magic[6];
	char version[2];
	char user[32];
	char group[32];
	char dev_major[8];
	char dev_minor[8];
	char prefix[155];
	char pad[12];
};
_Static_assert(sizeof(struct sb_header) == SB_HEADER_BYTES, "a tar header is one block");

/**
 * struct sb_header_number - what a numeric field is to be read as
 * @max:	largest accepted value
 * @what:	its name in messages
 */
struct sb_header_number {
	uint64_t max;
	const char *what;
};

int sb_header_number(const char *field, size_t len, const struct sb_header_number *number,
		     uint64_t *ret, struct sb_err *err);
int sb_header_check(const struct sb_header *header, struct sb_err *err);
bool sb_header_is_zero(const struct sb_header *header);
int sb_header_type(char flag);

#define SB_HEADER_FIELD(h, name, max, ret, what, err)  \
	sb_header_number((h)->name, sizeof((h)->name), \
			 &(struct sb_header_number){ (max), (what) }, (ret), (err))

#endif /* SB_IMAGES_HEADER_H */
