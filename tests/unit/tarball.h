/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tarball.h - make tar streams in memory, right ones and wrong ones
 */
#ifndef SB_TESTS_TARBALL_H
#define SB_TESTS_TARBALL_H

#include "tests/unit/unit.h"

#include "images/header.h"

/* A tar that grows; free(data) at the end. */
struct tarball {
	char *data;
	size_t len;
};

/* What an entry is to be; 0 means: an empty regular file of root, mode 0644, of time 1000. */
struct tarent {
	const char *name;
	char type; /* type flag, '0' if 0 */
	const char *link;
	const char *body;
	size_t body_len; /* 0: strlen(body) */
	unsigned int mode;
	unsigned int uid;
	unsigned int gid;
	unsigned int dev_major;
	unsigned int dev_minor;
};

static inline void tarball_raw(struct tarball *t, const void *data, size_t len)
{
	t->data = realloc(t->data, t->len + len + 1);
	assert_non_null(t->data);
	if (len > 0)
		memcpy(t->data + t->len, data, len);
	t->len += len;
}

static inline void tarball_zeros(struct tarball *t, size_t len)
{
	while (len-- > 0)
		tarball_raw(t, "", 1);
}

/* Write a number with leading zeros and a NUL. */
static inline void tarball_octal(char *field, size_t size, size_t value)
{
	field[size - 1] = '\0';
	for (size_t i = size - 1; i > 0; i--, value >>= 3)
		field[i - 1] = (char)('0' + (value & 7));
}

/* Write a text without a NUL, cut if it is too long. */
static inline void tarball_text(char *field, size_t size, const char *text)
{
	size_t len = strlen(text);

	memcpy(field, text, len < size ? len : size);
}

/* Set the checksum of the header at @at. */
static inline void tarball_sum(struct tarball *t, size_t at)
{
	struct sb_header *h = (struct sb_header *)(t->data + at);
	unsigned int sum = 0;

	memset(h->checksum, ' ', sizeof(h->checksum));
	for (size_t i = 0; i < sizeof(*h); i++)
		sum += ((unsigned char *)h)[i];
	tarball_octal(h->checksum, sizeof(h->checksum) - 1, sum);
}

static inline void tarball_body(struct tarball *t, const char *body, size_t len)
{
	tarball_raw(t, body, len);
	tarball_zeros(t, -len & 511);
}

/* Append an entry. Returns the offset of its header. */
static inline size_t tarball_add(struct tarball *t, const struct tarent *e)
{
	size_t body_len = e->body_len ? e->body_len : e->body ? strlen(e->body) : 0;
	struct sb_header h = { .type = e->type ? e->type : '0' };
	size_t at = t->len;

	tarball_text(h.name, sizeof(h.name), e->name);
	tarball_text(h.link, sizeof(h.link), e->link ? e->link : "");
	tarball_octal(h.mode, sizeof(h.mode), e->mode ? e->mode : 0644);
	tarball_octal(h.uid, sizeof(h.uid), e->uid);
	tarball_octal(h.gid, sizeof(h.gid), e->gid);
	tarball_octal(h.size, sizeof(h.size), body_len);
	tarball_octal(h.mtime, sizeof(h.mtime), 1000);
	tarball_octal(h.dev_major, sizeof(h.dev_major), e->dev_major);
	tarball_octal(h.dev_minor, sizeof(h.dev_minor), e->dev_minor);
	memcpy(h.magic, "ustar", 6);
	memcpy(h.version, "00", 2);
	tarball_raw(t, &h, sizeof(h));
	tarball_sum(t, at);
	tarball_body(t, e->body, body_len);
	return at;
}

/* Append a PAX header ('x' or 'g') with one record. */
static inline void tarball_pax(struct tarball *t, char type, const char *key, const char *value,
			       size_t value_len)
{
	size_t rest = 1 + strlen(key) + 1 + value_len + 1; /* " key=value\n" */
	size_t len = rest + 1;
	char *record;

	while ((size_t)snprintf(NULL, 0, "%zu", len) + rest != len)
		len++;
	record = malloc(len + 1);
	assert_non_null(record);
	snprintf(record, len + 1, "%zu %s=", len, key);
	memcpy(record + len - 1 - value_len, value, value_len);
	record[len - 1] = '\n';
	tarball_add(t, &(struct tarent){
			       .name = "pax", .type = type, .body = record, .body_len = len });
	free(record);
}

static inline void tarball_pax_str(struct tarball *t, const char *key, const char *value)
{
	tarball_pax(t, 'x', key, value, strlen(value));
}

/* Append a PAX header with the records @v[0] = @v[1], @v[2] = @v[3], … up to NULL. */
static inline void tarball_pax_list(struct tarball *t, const char *const *v)
{
	char body[4096];
	size_t n = 0;

	for (; *v; v += 2) {
		size_t rest = strlen(v[0]) + strlen(v[1]) + 3, len = rest + 1;

		while ((size_t)snprintf(NULL, 0, "%zu", len) + rest != len)
			len++;
		n += (size_t)snprintf(body + n, sizeof(body) - n, "%zu %s=%s\n", len, v[0], v[1]);
		assert_true(n < sizeof(body));
	}
	tarball_add(t, &(struct tarent){ .name = "pax", .type = 'x', .body = body, .body_len = n });
}

static inline void tarball_end(struct tarball *t)
{
	tarball_zeros(t, 1024);
}

#endif /* SB_TESTS_TARBALL_H */
