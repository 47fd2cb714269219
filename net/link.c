/* SPDX-License-Identifier: Apache-2.0 */
/* link.c - the veth pair of an attachment */
#include "net/link.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include <linux/if.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <netlink/attr.h>
#include <netlink/msg.h>

#include "net/nl.h"
#include "runtime/base/err.h"
#include "runtime/base/sys.h"

#define MTU             9000 /* room for what a NAT64 adds to a packet of 1500 bytes; GSO hides it */
#define QUEUES          1 /* the kernel's one per CPU cost a quarter more time and are idle without XDP */
#define CARRIER_WAIT_MS 1000
#define CARRIER_POLL_US 200

/* Locally administered (bit 1 of the first byte). The same for all pairs: each is a wire of its
 * own. */
const unsigned char sb_link_host_mac[ETH_ALEN] = { 0x02, 0x5b, 0, 0, 0, 1 };
const unsigned char sb_link_inside_mac[ETH_ALEN] = { 0x02, 0x5b, 0, 0, 0, 2 };

/* What both ends have in common. */
static void put_common(struct sb_nl_batch *b, const char *name, const unsigned char *mac)
{
	sb_nl_put_str(b, IFLA_IFNAME, name);
	sb_nl_put(b, IFLA_ADDRESS, mac, ETH_ALEN);
	sb_nl_put_u32(b, IFLA_MTU, MTU);
	sb_nl_put_u32(b, IFLA_NUM_TX_QUEUES, QUEUES);
	sb_nl_put_u32(b, IFLA_NUM_RX_QUEUES, QUEUES);
}

/* Add RTM_NEWLINK for a pair whose far end is born in @netns_fd: moving it there costs 15 ms. */
static void add_pair(struct sb_nl_batch *b, const char *host_if, int netns_fd)
{
	struct ifinfomsg link = { .ifi_family = AF_UNSPEC };
	struct nlattr *info, *data, *peer;

	sb_nl_add(b, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL | NLM_F_ACK, &link, sizeof(link));
	sb_nl_what(b, "create veth '%s'", host_if);
	put_common(b, host_if, sb_link_host_mac);
	sb_nl_put_u32(b, IFLA_GROUP, SB_LINK_GROUP);
	info = sb_nl_nest(b, IFLA_LINKINFO);
	sb_nl_put_str(b, IFLA_INFO_KIND, "veth");
	data = sb_nl_nest(b, IFLA_INFO_DATA);
	peer = sb_nl_nest(b, VETH_INFO_PEER);
	sb_nl_put_raw(b, &link, sizeof(link));
	put_common(b, SB_LINK_INSIDE, sb_link_inside_mac);
	sb_nl_put_u32(b, IFLA_NET_NS_FD, (uint32_t)netns_fd);
	sb_nl_nest_end(b, peer);
	sb_nl_nest_end(b, data);
	sb_nl_nest_end(b, info);
}

/* Add RTM_GETLINK for a link known by its name, or by its index if @name is NULL. */
static void add_get(struct sb_nl_batch *b, int ifindex, const char *name)
{
	struct ifinfomsg link = { .ifi_family = AF_UNSPEC, .ifi_index = ifindex };

	sb_nl_add(b, RTM_GETLINK, NLM_F_ACK, &link, sizeof(link));
	sb_nl_put_u32(b, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
	if (name)
		sb_nl_put_str(b, IFLA_IFNAME, name);
}

/* Reader of RTM_NEWLINK: @arg is the struct sb_veth to fill in. */
static int read_pair(struct nlmsghdr *h, void *arg, struct sb_err *err)
{
	const struct ifinfomsg *link = nlmsg_data(h);
	struct sb_veth *veth = arg;
	struct nlattr *far;

	if (h->nlmsg_type != RTM_NEWLINK)
		return 0;
	far = nlmsg_find_attr(h, sizeof(*link), IFLA_LINK);
	if (!far || nla_len(far) < (int)sizeof(int))
		return sb_err_set(err, EIO, "kernel does not name the far end of a veth");
	veth->host_index = link->ifi_index;
	veth->inside_index = (int)nla_get_u32(far);
	return 0;
}

/**
 * sb_veth_create() - Make a veth pair between this namespace and another one
 * @nl:		connection in the namespace that gets the host end
 * @host_if:	name of the host end, shorter than IFNAMSIZ (16) bytes
 * @netns_fd:	namespace that gets the far end, "eth0"; borrowed
 * @ret:	interface numbers of both ends
 *
 * Needs CAP_NET_ADMIN over both namespaces. Both ends are down and have no addresses. Nothing is
 * left behind on failure.
 *
 * Return: 0, or a negative errno value (-EEXIST: @host_if or the other namespace's "eth0" is taken)
 */
int sb_veth_create(struct sb_nl *nl, const char *host_if, int netns_fd, struct sb_veth *ret,
		   struct sb_err *err)
{
	_cleanup_nl_batch_ struct sb_nl_batch b = SB_NL_BATCH_INIT;
	struct sb_veth veth = { 0 };
	const struct sb_nl_reader reader = { .fn = read_pair, .arg = &veth };
	struct sb_err ignored = SB_ERR_INIT;

	add_pair(&b, host_if, netns_fd);
	/* One look tells both numbers: IFLA_LINK of a veth is its far end (Linux 4.20 and later
	 * also where the number is the same on both sides). */
	add_get(&b, 0, host_if);
	sb_nl_what(&b, "look up veth '%s'", host_if);
	if (sb_nl_run(nl, &b, &reader, err) == 0) {
		*ret = veth;
		return 0;
	}
	/* The name may be somebody else's if the very creation failed. */
	if (b.n > 0 && b.item[0].answered && b.failed != 0)
		(void)sb_link_delete(nl, host_if, &ignored);
	return -err->code;
}

/**
 * sb_link_delete() - Delete a link, with its far end
 * @nl:		connection in its namespace
 * @name:	its name
 *
 * Takes 16 to 32 ms where the end of the namespace takes none: for failures and repairs only.
 *
 * Return: 0 also if it was not there, or a negative errno value
 */
int sb_link_delete(struct sb_nl *nl, const char *name, struct sb_err *err)
{
	_cleanup_nl_batch_ struct sb_nl_batch b = SB_NL_BATCH_INIT;
	struct ifinfomsg link = { .ifi_family = AF_UNSPEC };

	sb_nl_add(&b, RTM_DELLINK, NLM_F_ACK, &link, sizeof(link));
	sb_nl_what(&b, "delete link '%s'", name);
	sb_nl_put_str(&b, IFLA_IFNAME, name);
	sb_nl_tolerate(&b, ENODEV);
	return sb_nl_run(nl, &b, NULL, err);
}

/**
 * sb_link_add_no_autoaddr() - Add a request that keeps link-local addresses off a link
 * @b:		batch
 * @ifindex:	link; must be down. In the request that brings it up the flag would come too late
 * @name:	its name, for the error message
 */
void sb_link_add_no_autoaddr(struct sb_nl_batch *b, int ifindex, const char *name)
{
	struct ifinfomsg link = { .ifi_family = AF_UNSPEC, .ifi_index = ifindex };
	unsigned char mode = IN6_ADDR_GEN_MODE_NONE;
	struct nlattr *spec, *inet6;

	sb_nl_add(b, RTM_SETLINK, NLM_F_ACK, &link, sizeof(link));
	sb_nl_what(b, "switch off automatic addresses of '%s'", name);
	spec = sb_nl_nest(b, IFLA_AF_SPEC);
	inet6 = sb_nl_nest(b, AF_INET6);
	sb_nl_put(b, IFLA_INET6_ADDR_GEN_MODE, &mode, sizeof(mode));
	sb_nl_nest_end(b, inet6);
	sb_nl_nest_end(b, spec);
}

/**
 * sb_link_add_up() - Add a request that brings a link up
 * @b:		batch
 * @ifindex:	link
 * @name:	its name, for the error message
 */
void sb_link_add_up(struct sb_nl_batch *b, int ifindex, const char *name)
{
	struct ifinfomsg link = { .ifi_family = AF_UNSPEC,
				  .ifi_index = ifindex,
				  .ifi_flags = IFF_UP,
				  .ifi_change = IFF_UP };

	sb_nl_add(b, RTM_NEWLINK, NLM_F_ACK, &link, sizeof(link));
	sb_nl_what(b, "bring up '%s'", name);
}

/* Reader of RTM_NEWLINK: @arg is a bool, whether the link is operational. */
static int read_operstate(struct nlmsghdr *h, void *arg, struct sb_err *err)
{
	struct nlattr *state;
	bool *up = arg;

	(void)err;
	if (h->nlmsg_type != RTM_NEWLINK)
		return 0;
	state = nlmsg_find_attr(h, sizeof(struct ifinfomsg), IFLA_OPERSTATE);
	*up = state && nla_get_u8(state) == IF_OPER_UP;
	return 0;
}

/**
 * sb_link_wait_carrier() - Wait until a link really sends
 * @nl:		connection in its namespace
 * @ifindex:	link; both ends of the pair are up
 * @name:	its name, for the error message
 *
 * The end that was brought up first hears of its carrier later, from a work queue, and until then
 * it drops what it should send. Asking for the link makes Linux 6.8 and later do that work at once
 * (commit facd15dfd691); before, its operational state tells when it has been done.
 *
 * Return: 0, or a negative errno value (-ETIMEDOUT: no carrier within a second)
 */
int sb_link_wait_carrier(struct sb_nl *nl, int ifindex, const char *name, struct sb_err *err)
{
	_cleanup_nl_batch_ struct sb_nl_batch b = SB_NL_BATCH_INIT;
	uint64_t deadline_ms = sb_now_ms() + CARRIER_WAIT_MS;
	bool up = false;
	const struct sb_nl_reader reader = { .fn = read_operstate, .arg = &up };

	add_get(&b, ifindex, NULL);
	sb_nl_what(&b, "wait for carrier of '%s'", name);
	for (;;) {
		if (sb_nl_run(nl, &b, &reader, err) < 0)
			return -err->code;
		if (up)
			return 0;
		if (sb_now_ms() >= deadline_ms)
			return sb_err_set(err, ETIMEDOUT, "wait for carrier of '%s'", name);
		(void)usleep(CARRIER_POLL_US);
	}
}
