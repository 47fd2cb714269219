/* SPDX-License-Identifier: Apache-2.0 */
/* platform.c - which images run where */
#include "images/platform.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

#include "images/tar.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/err.h"

#define OS   "linux"
#define WORD "abcdefghijklmnopqrstuvwxyz0123456789_"

/* Machines as uname(2) and people call them, and as images do. The first of its kind is a host's;
 * a 64-bit ARM kernel with 32-bit programs says armv8l. */
static const struct {
	const char *machine;
	struct sb_platform platform;
} names[] = {
	{ "x86_64", { "amd64", "" } },        { "aarch64", { "arm64", "" } },
	{ "armv6l", { "arm", "v6" } },        { "armv7l", { "arm", "v7" } },
	{ "armv8l", { "arm", "v7" } },        { "riscv64", { "riscv64", "" } },
	{ "ppc64le", { "ppc64le", "" } },     { "s390x", { "s390x", "" } },
	{ "loongarch64", { "loong64", "" } },
};

/* The variant that an architecture has if none is said (containerd's platforms package). */
static const char *default_variant(const char *architecture)
{
	if (!strcmp(architecture, "amd64"))
		return "v1";
	if (!strcmp(architecture, "arm64"))
		return "v8";
	return !strcmp(architecture, "arm") ? "v7" : "";
}

static void normalise(struct sb_platform *p)
{
	for (size_t i = 0; i < SB_ARRAY_SIZE(names); i++)
		if (!strcmp(p->architecture, names[i].machine))
			*p = names[i].platform;
	if (!strcmp(p->variant, default_variant(p->architecture)))
		p->variant[0] = '\0';
}

/**
 * sb_platform_host() - What this machine runs
 * @ret:	platform; its architecture is "unknown" if we don't know the machine
 */
void sb_platform_host(struct sb_platform *ret)
{
	struct utsname u;

	*ret = (struct sb_platform){ .architecture = "unknown" };
	if (uname(&u) < 0)
		return;
	for (size_t i = 0; i < SB_ARRAY_SIZE(names); i++)
		if (!strcmp(u.machine, names[i].machine))
			*ret = names[i].platform;
	normalise(ret);
}

/* Copy the word of @len bytes at @text. */
static int take_word(const char *text, size_t len, char *ret, size_t size)
{
	if (len == 0 || len >= size || strspn(text, WORD) < len)
		return -EINVAL;
	memcpy(ret, text, len);
	ret[len] = '\0';
	return 0;
}

/**
 * sb_platform_parse() - Read a platform as people write it
 * @text:	"linux/ARCHITECTURE[/VARIANT]", the architecture also as uname(2) has it
 * @ret:	written on success only
 *
 * Return: 0 or -EINVAL
 */
int sb_platform_parse(const char *text, struct sb_platform *ret, struct sb_err *err)
{
	struct sb_platform p = { .variant = "" };
	const char *arch = strchr(text, '/');
	const char *variant = arch ? strchr(arch + 1, '/') : NULL;
	size_t arch_len = variant ? (size_t)(variant - arch - 1) : arch ? strlen(arch + 1) : 0;

	if (arch && strncmp(text, OS "/", sizeof(OS)) != 0)
		return sb_err_refuse(err, EINVAL, "platform '%.40s': only " OS " images can be run",
				     text);
	if (!arch || take_word(arch + 1, arch_len, p.architecture, sizeof(p.architecture)) < 0 ||
	    (variant &&
	     take_word(variant + 1, strlen(variant + 1), p.variant, sizeof(p.variant)) < 0)) {
		sb_err_refuse(err, EINVAL, "'%.40s' is not a platform", text);
		return sb_err_hint(err, "write it as linux/arm64 or linux/arm/v7");
	}
	normalise(&p);
	*ret = p;
	return 0;
}

/**
 * sb_platform_format() - A platform as people write it
 * @platform:	platform
 * @buf:	room for SB_PLATFORM_SIZE bytes
 *
 * Return: @buf
 */
const char *sb_platform_format(const struct sb_platform *platform, char *buf)
{
	snprintf(buf, SB_PLATFORM_SIZE, OS "/%s%s%s", platform->architecture,
		 platform->variant[0] ? "/" : "", platform->variant);
	return buf;
}

/**
 * sb_platform_fit_of() - Whether the image behind a descriptor may run somewhere
 * @object:	its object "platform", or NULL
 * @wanted:	where
 *
 * A variant is a lower bound on the machine ("v3" of amd64 needs AVX2) that only the programs in
 * the image could tell us more about; the plain one is preferred. Of 32-bit ARM, later ones run
 * what earlier ones do.
 *
 * Return: see enum sb_platform_fit; MAYBE if @object is missing
 */
enum sb_platform_fit sb_platform_fit_of(const json_t *object, const struct sb_platform *wanted)
{
	const char *os = json_string_value(json_object_get(object, "os"));
	const char *arch = json_string_value(json_object_get(object, "architecture"));
	const char *variant = json_string_value(json_object_get(object, "variant"));
	const char *plain = default_variant(wanted->architecture);
	const char *need = wanted->variant[0] ? wanted->variant : plain;

	if (!object)
		return SB_PLATFORM_MAYBE;
	if (!os || !arch || strcmp(os, OS) != 0 || strcmp(arch, wanted->architecture) != 0)
		return SB_PLATFORM_NO;
	if (!variant || !variant[0])
		variant = plain;
	if (!strcmp(variant, need))
		return SB_PLATFORM_YES;
	if (!strcmp(arch, "arm"))
		return strcmp(variant, need) < 0 ? SB_PLATFORM_MAYBE : SB_PLATFORM_NO;
	return wanted->variant[0] && strcmp(variant, plain) != 0 ? SB_PLATFORM_NO
								 : SB_PLATFORM_MAYBE;
}

/**
 * sb_platform_check() - Refuse an image made for something else
 * @os:			from its configuration; NULL if missing
 * @architecture:	likewise
 * @wanted:		what it is to run on
 *
 * Return: 0 or -EINVAL
 */
int sb_platform_check(const char *os, const char *architecture, const struct sb_platform *wanted,
		      struct sb_err *err)
{
	char shown_os[SB_TAR_SHOWN_SIZE], shown_arch[SB_TAR_SHOWN_SIZE];

	if (!os || !architecture)
		return sb_err_refuse(err, EINVAL, "the image does not say what platform it is for");
	if (!strcmp(os, OS) && !strcmp(architecture, wanted->architecture))
		return 0;
	return sb_err_refuse(err, EINVAL, "the image is for %s/%s, not " OS "/%s",
			     sb_tar_shown(os, shown_os), sb_tar_shown(architecture, shown_arch),
			     wanted->architecture);
}
