/* SPDX-License-Identifier: Apache-2.0 */
/* platform.c - which images run on this machine */
#include "images/platform.h"

#include <errno.h>
#include <string.h>
#include <sys/utsname.h>

#include "images/tar.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/err.h"

#define OS "linux"

/**
 * sb_platform_architecture() - The machine we run on, as images call it
 *
 * Return: a name of Go's GOARCH list (OCI image-spec image-index.md), or "unknown"
 */
const char *sb_platform_architecture(void)
{
	static const struct {
		const char *machine; /* uname(2) */
		const char *name;
	} names[] = {
		{ "x86_64", "amd64" }, { "aarch64", "arm64" },   { "armv7l", "arm" },
		{ "armv8l", "arm" },   { "riscv64", "riscv64" }, { "ppc64le", "ppc64le" },
		{ "s390x", "s390x" },
	};
	struct utsname u;

	if (uname(&u) < 0)
		return "unknown";
	for (size_t i = 0; i < SB_ARRAY_SIZE(names); i++)
		if (!strcmp(u.machine, names[i].machine))
			return names[i].name;
	return "unknown";
}

/**
 * sb_platform_fit_of() - Whether the image behind a descriptor may run here
 * @platform:	its object "platform", or NULL
 *
 * A variant is a lower bound on the machine ("v3" of amd64 needs AVX2) that only the programs in
 * the image could tell us more about; the plain one is preferred.
 *
 * Return: see enum sb_platform_fit; MAYBE if @platform is missing
 */
enum sb_platform_fit sb_platform_fit_of(const json_t *platform)
{
	const char *os = json_string_value(json_object_get(platform, "os"));
	const char *arch = json_string_value(json_object_get(platform, "architecture"));
	const char *variant = json_string_value(json_object_get(platform, "variant"));

	if (!platform)
		return SB_PLATFORM_MAYBE;
	if (!os || !arch || strcmp(os, OS) != 0 || strcmp(arch, sb_platform_architecture()) != 0)
		return SB_PLATFORM_NO;
	if (!variant || !variant[0])
		return SB_PLATFORM_YES;
	if (!strcmp(arch, "amd64"))
		return strcmp(variant, "v1") ? SB_PLATFORM_MAYBE : SB_PLATFORM_YES;
	return !strcmp(arch, "arm64") && !strcmp(variant, "v8") ? SB_PLATFORM_YES
								: SB_PLATFORM_MAYBE;
}

/**
 * sb_platform_check() - Refuse an image made for something else
 * @os:			from its configuration; NULL if missing
 * @architecture:	likewise
 *
 * Return: 0 or -EINVAL
 */
int sb_platform_check(const char *os, const char *architecture, struct sb_err *err)
{
	char shown_os[SB_TAR_SHOWN_SIZE], shown_arch[SB_TAR_SHOWN_SIZE];

	if (!os || !architecture)
		return sb_err_refuse(err, EINVAL, "the image does not say what platform it is for");
	if (!strcmp(os, OS) && !strcmp(architecture, sb_platform_architecture()))
		return 0;
	return sb_err_refuse(err, EINVAL, "the image is for %s/%s, this machine is " OS "/%s",
			     sb_tar_shown(os, shown_os), sb_tar_shown(architecture, shown_arch),
			     sb_platform_architecture());
}
