/* SPDX-License-Identifier: Apache-2.0 */
/* caps.c - what root may do inside a container */
#include "runtime/container/caps.h"

#include <errno.h>
#include <sys/capability.h>
#include <sys/prctl.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/err.h"

/*
 * Podman's default set (container-libs, pkg/config/default.go): Docker's without MKNOD, NET_RAW and
 * AUDIT_WRITE. Without NET_RAW nobody forges router advertisements (CVE-2020-13401).
 */
static const cap_value_t kept[] = {
	CAP_CHOWN,   CAP_DAC_OVERRIDE, CAP_FOWNER,           CAP_FSETID,
	CAP_KILL,    CAP_SETGID,       CAP_SETUID,           CAP_SETPCAP,
	CAP_SETFCAP, CAP_SYS_CHROOT,   CAP_NET_BIND_SERVICE,
};

static bool is_kept(cap_value_t cap)
{
	for (size_t i = 0; i < SB_ARRAY_SIZE(kept); i++)
		if (kept[i] == cap)
			return true;
	return false;
}

static void cleanup_cap(cap_t *caps)
{
	(void)cap_free(*caps); /* NULL only gives EINVAL */
}

/**
 * sb_caps_bound() - Limit what this process and its descendants can ever gain
 *
 * Drops all capabilities but the kept ones from the bounding set. Needs CAP_SETPCAP in the user
 * namespace the process is in, so it comes before the change to another user. On failure some may
 * be dropped already; the caller is about to end anyway.
 *
 * Return: 0 or a negative errno value (-EPERM: no CAP_SETPCAP)
 */
int sb_caps_bound(struct sb_err *err)
{
	for (int cap = 0;; cap++) {
		if (is_kept(cap) || prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) == 0)
			continue;
		/* EINVAL: one more than the kernel knows. cap_max_bits() would ask it 41 times. */
		return errno == EINVAL && cap > 0 ? 0
						  : sb_err_set(err, errno,
							       "drop capability %d "
							       "from the bounding set",
							       cap);
	}
}

/**
 * sb_caps_apply() - Set the capabilities of this process
 * @keep:	true: permitted and effective are the kept ones, for user 0 inside; false: none, for
 *		everybody else (CVE-2018-10856)
 *
 * The inheritable and ambient sets become empty in both cases (CVE-2022-24769, CVE-2022-29162).
 * Comes after the change to another user. Under no_new_privs a program started without
 * capabilities never gets them back, not even as user 0.
 *
 * Return: 0 or a negative errno value (-EPERM: @keep, but one of them is not permitted now)
 */
int sb_caps_apply(bool keep, struct sb_err *err)
{
	_cleanup_(cleanup_cap) cap_t caps = cap_init();
	const int n = keep ? (int)SB_ARRAY_SIZE(kept) : 0;

	if (!caps || (n > 0 && (cap_set_flag(caps, CAP_PERMITTED, n, kept, CAP_SET) < 0 ||
				cap_set_flag(caps, CAP_EFFECTIVE, n, kept, CAP_SET) < 0)))
		return sb_err_set(err, errno, "list capabilities");
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0)
		return sb_err_set(err, errno, "clear the ambient capabilities");
	if (cap_set_proc(caps) < 0)
		return sb_err_set(err, errno, "set the capabilities");
	return 0;
}
