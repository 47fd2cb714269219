/* SPDX-License-Identifier: Apache-2.0 */
/*
 * net.c - attach a network namespace to the host: the order of all steps, and why
 *
 *      host                                            namespace
 *   lo: prefix::1                                   lo: ::1, 127.0.0.1
 *   sbX  02:5b::1  group 91  ------ veth ------  eth0  02:5b::2   prefix:1:id/128
 *   route prefix:1:id/128 dev sbX                default via fe80::1 (nobody has that address)
 *
 * A wire with two ends and a route for each: no bridge, no address on the host end, no neighbour
 * discovery. The host's one address, on its loopback, is what it speaks from. The namespace's next
 * hop fe80::1 is only a name for the host end's MAC, kept as a permanent neighbour on either side.
 *
 * The address must accept the first packet the moment sb_net_create() returns. Four things would
 * delay or lose it, each for a second:
 *   1. duplicate address detection: switched off with the address (IFA_F_NODAD);
 *   2. asking for the neighbour: permanent entries on both sides;
 *   3. the local route of an address, inside and on lo, which the kernel adds from a work queue: we
 *      add it ourselves;
 *   4. the end that came up first learns of its carrier from a work queue: we wait for that.
 *
 * The steps, in order:
 *   a. the firewall, before there is a link that it would have to guard;
 *   b. inside: a netlink socket, which stays with the namespace, and the sysctls;
 *   c. the pair, its far end born inside: to move it there would cost 15 ms;
 *   d. host end in one send: no link-local address, up, route, neighbour, and prefix::1 on lo;
 *   e. inside in one send: lo up, no link-local address, eth0 up, address, routes, neighbour;
 *   f. carrier;
 *   g. the address becomes an element of the firewall's set: from now on it may answer.
 * A failure after c deletes the pair, and with it routes and neighbours of both sides. Normally the
 * pair dies with its namespace: that is quick, where deleting a link is not.
 *
 * IPv4 exists inside on lo only, 127.0.0.1, which the kernel adds when lo comes up.
 */
#include "net/net.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/membarrier.h>
#include <linux/netlink.h>

#include "net/firewall.h"
#include "net/link.h"
#include "net/netns.h"
#include "net/nl.h"
#include "net/route.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/log.h"

/*
 * A link outlives its namespace by 0.3 to 30 ms, depending on how the kernel waits for RCU.
 * Deleting it in that time is no quicker: 16 to 42 ms.
 */
#define DYING_LINK_TRIES   250
#define DYING_LINK_POLL_US 200

/* Next hop of the default route inside; see above. */
static const struct in6_addr next_hop = { .s6_addr = { 0xfe, 0x80, [15] = 1 } };

/* Set a sysctl of the namespace that the caller is in: /proc/sys/net shows the reader's own. */
static int set_sysctl(const char *name, const char *value, struct sb_err *err)
{
	char path[96];

	snprintf(path, sizeof(path), "/proc/sys/net/%s", name);
	return sb_put_at(AT_FDCWD, path, value, err);
}

/* Whether interfaces made here begin without IPv6 (boot option ipv6.disable_ipv6, or a sysctl). */
static bool ipv6_is_off(void)
{
	char value[8];

	return sb_read_small_at(AT_FDCWD, "/proc/sys/net/ipv6/conf/default/disable_ipv6", value,
				sizeof(value)) > 0 &&
	       value[0] == '1';
}

/* Inside: what programs expect to be allowed, and IPv6 even if the host's default is without. */
static int set_inside_sysctls(struct sb_err *err)
{
	if (set_sysctl("ipv4/ping_group_range", "0 2147483647", err) < 0 ||
	    set_sysctl("ipv4/ip_unprivileged_port_start", "0", err) < 0)
		return -err->code;
	return ipv6_is_off() ? set_sysctl("ipv6/conf/all/disable_ipv6", "0", err) : 0;
}

/* Step b: visit the namespace once; @inside is open afterwards. */
static int prepare_inside(int netns_fd, struct sb_nl *inside, struct sb_err *err)
{
	struct sb_err home_err = SB_ERR_INIT;
	int home_fd;
	int ret;

	if (sb_netns_enter(netns_fd, &home_fd, err) < 0)
		return -err->code;
	ret = set_inside_sysctls(err);
	if (ret == 0)
		ret = sb_nl_open(inside, NETLINK_ROUTE, err);
	if (sb_netns_leave(&home_fd, &home_err) < 0) {
		*err = home_err;
		return -err->code;
	}
	return ret;
}

/* The host's address on lo, which mostly is there already. */
static void add_gateway(struct sb_nl_batch *b, const struct in6_addr *gateway)
{
	sb_addr_add(b, SB_LINK_LOOPBACK, gateway);
	sb_nl_tolerate(b, EEXIST);
	sb_route_add_local(b, SB_LINK_LOOPBACK, gateway);
}

/* Step d. */
static int set_up_host_end(struct sb_nl *nl, const struct sb_net_plan *plan, int ifindex,
			   struct sb_err *err)
{
	_cleanup_nl_batch_ struct sb_nl_batch b = SB_NL_BATCH_INIT;
	char sysctl[64];
	int route;

	/* Defence in depth: the firewall drops router advertisements from sandboxes anyway. */
	snprintf(sysctl, sizeof(sysctl), "ipv6/conf/%s/accept_ra", plan->host_if);
	if (set_sysctl(sysctl, "0", err) < 0)
		return -err->code;
	/* No answer to anybody who asks for the host's IPv4 addresses: ip-sysctl.rst, arp_ignore.
	 */
	snprintf(sysctl, sizeof(sysctl), "ipv4/conf/%s/arp_ignore", plan->host_if);
	if (set_sysctl(sysctl, "8", err) < 0)
		return -err->code;
	snprintf(sysctl, sizeof(sysctl), "ipv6/conf/%s/disable_ipv6", plan->host_if);
	if (ipv6_is_off() && set_sysctl(sysctl, "0", err) < 0)
		return -err->code;

	sb_link_add_no_autoaddr(&b, ifindex, plan->host_if);
	sb_link_add_up(&b, ifindex, plan->host_if);
	route = (int)b.n;
	sb_route_add_host(&b, ifindex, &plan->addr);
	sb_neigh_add(&b, ifindex, &plan->addr, sb_link_inside_mac);
	add_gateway(&b, &plan->gateway);
	if (sb_nl_run(nl, &b, NULL, err) == 0)
		return 0;
	if (err->code == EEXIST && b.failed == route) {
		char addr[INET6_ADDRSTRLEN];

		return sb_err_set(err, EEXIST, "address '%s' is taken",
				  inet_ntop(AF_INET6, &plan->addr, addr, sizeof(addr)));
	}
	return -err->code;
}

/* Step e. */
static int set_up_inside(struct sb_nl *nl, const struct sb_net_plan *plan, int ifindex,
			 struct sb_err *err)
{
	_cleanup_nl_batch_ struct sb_nl_batch b = SB_NL_BATCH_INIT;

	sb_link_add_up(&b, SB_LINK_LOOPBACK, "lo");
	sb_link_add_no_autoaddr(&b, ifindex, SB_LINK_INSIDE);
	sb_link_add_up(&b, ifindex, SB_LINK_INSIDE);
	sb_addr_add(&b, ifindex, &plan->addr);
	sb_neigh_add(&b, ifindex, &next_hop, sb_link_host_mac);
	sb_route_add_local(&b, ifindex, &plan->addr);
	sb_route_add_default(&b, ifindex, &next_hop);
	if (sb_nl_run(nl, &b, NULL, err) < 0)
		return sb_err_prefix(err, "inside");
	return 0;
}

/* Step g; the rules may have been removed since step a. */
static int admit(struct sb_nl *firewall, const struct in6_addr *addr, struct sb_err *err)
{
	struct sb_err first = SB_ERR_INIT;
	int ret = sb_firewall_admit(firewall, addr, &first);

	if (ret == -ENOENT && sb_firewall_up(firewall, err) < 0)
		return -err->code;
	if (ret == -ENOENT)
		return sb_firewall_admit(firewall, addr, err);
	if (ret < 0)
		*err = first;
	return ret;
}

/**
 * sb_net_open() - Connect to the firewall of the network namespace that the caller is in
 * @ret:	connection; released with sb_net_close(), at best by the end of the process
 *
 * Return: 0, or a negative errno value
 */
int sb_net_open(struct sb_net *ret, struct sb_err *err)
{
	struct sb_nl nl = SB_NL_INIT;

	if (sb_firewall_open(&nl, err) < 0)
		return -err->code;
	*ret = (struct sb_net){ .fd = nl.fd, .seq = nl.seq };
	return 0;
}

/**
 * sb_net_close() - Disconnect; may take 10 ms
 * @net:	connection, also a closed one
 *
 * If something was deleted, waits for an RCU grace period itself (membarrier(2),
 * MEMBARRIER_CMD_GLOBAL): the kernel would do it in close(2) with the lock of nf_tables held, which
 * whoever makes a link just then needs too.
 */
void sb_net_close(struct sb_net *net)
{
	if (net->fd >= 0 && net->has_deleted)
		(void)syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0);
	sb_close_fd(&net->fd);
}

static int attach(struct sb_nl *firewall, const struct sb_net_plan *plan, int netns_fd,
		  struct sb_err *err)
{
	_cleanup_nl_ struct sb_nl host = SB_NL_INIT;
	_cleanup_nl_ struct sb_nl inside = SB_NL_INIT;
	struct sb_err ignored = SB_ERR_INIT;
	struct sb_veth veth;

	if (sb_firewall_up(firewall, err) < 0 || prepare_inside(netns_fd, &inside, err) < 0 ||
	    sb_nl_open(&host, NETLINK_ROUTE, err) < 0 ||
	    sb_veth_create(&host, plan->host_if, netns_fd, &veth, err) < 0)
		return -err->code;
	if (set_up_host_end(&host, plan, veth.host_index, err) == 0 &&
	    set_up_inside(&inside, plan, veth.inside_index, err) == 0 &&
	    sb_link_wait_carrier(&host, veth.host_index, plan->host_if, err) == 0 &&
	    admit(firewall, &plan->addr, err) == 0)
		return 0;
	(void)sb_link_delete(&host, plan->host_if, &ignored);
	return -err->code;
}

/**
 * sb_net_create() - Give a network namespace its address
 * @net:	connection to the firewall
 * @plan:	names and addresses
 * @netns_fd:	the namespace, new: it must not have an "eth0" yet; borrowed
 *
 * The caller is single-threaded, in the host's network namespace, and has CAP_SYS_ADMIN and
 * CAP_NET_ADMIN in the user namespace that owns it. Includes sb_net_host_up(). When it returns, the
 * first packet in either direction arrives. Nothing is left behind on failure, except sysctls
 * inside.
 *
 * Return: 0, or a negative errno value (-EEXIST: the address, or the name of the link, is taken)
 */
int sb_net_create(struct sb_net *net, const struct sb_net_plan *plan, int netns_fd,
		  struct sb_err *err)
{
	struct sb_nl firewall = { .fd = net->fd, .seq = net->seq };
	int ret = attach(&firewall, plan, netns_fd, err);

	net->seq = firewall.seq;
	return ret;
}

/**
 * sb_net_dismiss() - End an attachment whose namespace is dying: the quick half of sb_net_destroy()
 * @net:	connection to the firewall
 * @plan:	names and addresses, the same as for sb_net_create()
 *
 * The address may neither call nor be called any more, a tick of the kernel's clock later, and
 * sb_net_for_each_address() no longer names it. The link, routes and neighbours go with the
 * namespace, some milliseconds after its last process and descriptor. Idempotent. Failures are
 * logged at debug level only.
 */
void sb_net_dismiss(struct sb_net *net, const struct sb_net_plan *plan)
{
	struct sb_nl firewall = { .fd = net->fd, .seq = net->seq };
	struct sb_err err = SB_ERR_INIT;
	int ret = sb_firewall_dismiss(&firewall, &plan->addr, &err);

	if (ret < 0)
		sb_debug("%s", err.msg);
	net->has_deleted |= ret > 0;
	net->seq = firewall.seq;
}

/**
 * sb_net_destroy() - Remove what sb_net_create() made, wherever it stopped, and be sure of it
 * @plan:	names and addresses, the same as then
 *
 * For crash recovery, and for callers who must not return before the link is gone. Waits up to 50
 * ms for a dying namespace to take the link along, then deletes it. Idempotent. Failures are logged
 * at debug level only.
 */
void sb_net_destroy(const struct sb_net_plan *plan)
{
	_cleanup_nl_ struct sb_nl nl = SB_NL_INIT;
	struct sb_net net = SB_NET_INIT;
	struct sb_err err = SB_ERR_INIT;

	if (sb_net_open(&net, &err) == 0)
		sb_net_dismiss(&net, plan);
	sb_net_close(&net);
	for (int i = 0; i < DYING_LINK_TRIES; i++) {
		/* By ioctl: unlike netlink it does not queue behind the dying namespace's lock. */
		if (if_nametoindex(plan->host_if) == 0)
			return;
		(void)usleep(DYING_LINK_POLL_US);
	}
	if (sb_nl_open(&nl, NETLINK_ROUTE, &err) < 0 ||
	    sb_link_delete(&nl, plan->host_if, &err) < 0)
		sb_debug("%s", err.msg);
}

/* The host's address: add or remove it. */
static int change_gateway(const struct in6_addr *prefix, bool up, struct sb_err *err)
{
	_cleanup_nl_ struct sb_nl nl = SB_NL_INIT;
	_cleanup_nl_batch_ struct sb_nl_batch b = SB_NL_BATCH_INIT;
	struct sb_net_plan plan;

	sb_net_plan(prefix, 0, &plan);
	if (sb_nl_open(&nl, NETLINK_ROUTE, err) < 0)
		return -err->code;
	if (up) {
		add_gateway(&b, &plan.gateway);
	} else {
		sb_addr_del(&b, SB_LINK_LOOPBACK, &plan.gateway);
		sb_nl_tolerate(&b, EADDRNOTAVAIL);
		sb_route_del_local(&b, SB_LINK_LOOPBACK, &plan.gateway);
	}
	return sb_nl_run(&nl, &b, NULL, err);
}

/**
 * sb_net_host_up() - Prepare the host: its address on lo, and the firewall
 * @prefix:	/48 of the host
 *
 * Idempotent, and cheap if all is there. Needs CAP_NET_ADMIN.
 *
 * Return: 0, or a negative errno value
 */
int sb_net_host_up(const struct in6_addr *prefix, struct sb_err *err)
{
	_cleanup_nl_ struct sb_nl firewall = SB_NL_INIT;

	if (sb_firewall_open(&firewall, err) < 0 || sb_firewall_up(&firewall, err) < 0)
		return -err->code;
	return change_gateway(prefix, true, err);
}

/**
 * sb_net_host_down() - Undo sb_net_host_up()
 * @prefix:	/48 of the host
 *
 * Idempotent. The firewall stays while any address is admitted, of whatever prefix. Failures are
 * logged at debug level only.
 */
void sb_net_host_down(const struct in6_addr *prefix)
{
	_cleanup_nl_ struct sb_nl firewall = SB_NL_INIT;
	_cleanup_free_ struct in6_addr *others = NULL;
	struct sb_err err = SB_ERR_INIT;
	size_t n = 0;

	/* The rules are one for all prefixes of the host: who still has an address needs them. */
	if (sb_firewall_open(&firewall, &err) < 0 ||
	    sb_firewall_list(&firewall, &others, &n, &err) < 0 ||
	    (n == 0 && sb_firewall_down(&firewall, &err) < 0))
		sb_debug("%s", err.msg);
	if (change_gateway(prefix, false, &err) < 0)
		sb_debug("%s", err.msg);
}

/**
 * sb_net_for_each_address() - Visit every address that the firewall knows, for garbage collection
 * @fn:		called for each; a result other than 0 ends the walk. It may create and destroy
 * @arg:	handed to @fn
 *
 * Return: 0, the result of @fn that ended the walk (@err is left to @fn then), or a negative errno
 * value
 */
int sb_net_for_each_address(int (*fn)(const struct in6_addr *addr, void *arg), void *arg,
			    struct sb_err *err)
{
	_cleanup_nl_ struct sb_nl firewall = SB_NL_INIT;
	_cleanup_free_ struct in6_addr *addrs = NULL;
	size_t n;
	int ret = 0;

	if (sb_firewall_open(&firewall, err) < 0 ||
	    sb_firewall_list(&firewall, &addrs, &n, err) < 0)
		return -err->code;
	for (size_t i = 0; i < n && ret == 0; i++)
		ret = fn(&addrs[i], arg);
	return ret;
}
