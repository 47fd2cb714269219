/* SPDX-License-Identifier: Apache-2.0 */
/* login.c - whether a registry accepts credentials */
#include "images/login.h"

#include <errno.h>

#include "images/registry.h"
#include "runtime/base/err.h"

/**
 * sb_login_verify() - Try credentials at a registry
 * @hosts:	from sb_hosts_for_login(), with the credentials
 * @n_hosts:	how many; the last one is asked
 *
 * Talks to the network and touches no file. A registry that lets everybody in does not look at
 * credentials, and so accepts them.
 *
 * Return: 0, or a negative errno value as sb_registry_ping() (-EACCES: not accepted)
 */
int sb_login_verify(const struct sb_registry_host *hosts, size_t n_hosts, struct sb_err *err)
{
	_cleanup_registry_ struct sb_registry *reg =
		sb_registry_new(NULL, hosts, n_hosts, NULL, err);

	if (!reg || sb_registry_ping(reg, err) == 0)
		return reg ? 0 : -err->code;
	if (err->code == EACCES)
		err->hint[0] = '\0'; /* it would be to log in */
	return -err->code;
}
