/* SPDX-License-Identifier: Apache-2.0 */
/* network.c - the probe's topics about the network: addresses, routes, and which sockets can be
 * made */
#include "tests/probe/probe.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/netlink.h>

static int prefix_len(const struct sockaddr *mask, size_t offset, size_t size)
{
	const unsigned char *p = (const unsigned char *)mask + offset;
	int bits = 0;

	for (size_t i = 0; mask && i < size; i++)
		bits += __builtin_popcount(p[i]);
	return bits;
}

static void print_address(const struct ifaddrs *a)
{
	char text[INET6_ADDRSTRLEN] = "";
	int family = a->ifa_addr ? a->ifa_addr->sa_family : AF_UNSPEC;

	probe_open();
	probe_str("interface", a->ifa_name);
	probe_int("up", !!(a->ifa_flags & IFF_UP));
	if (family == AF_INET6) {
		const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)a->ifa_addr;

		probe_int("family", 6);
		probe_str("address", inet_ntop(AF_INET6, &in6->sin6_addr, text, sizeof(text)));
		probe_int("prefixLength",
			  prefix_len(a->ifa_netmask, offsetof(struct sockaddr_in6, sin6_addr), 16));
	} else if (family == AF_INET) {
		const struct sockaddr_in *in = (const struct sockaddr_in *)a->ifa_addr;

		probe_int("family", 4);
		probe_str("address", inet_ntop(AF_INET, &in->sin_addr, text, sizeof(text)));
		probe_int("prefixLength",
			  prefix_len(a->ifa_netmask, offsetof(struct sockaddr_in, sin_addr), 4));
	}
	probe_close();
}

/* /proc/net/ipv6_route: destination, its length, source, its length, gateway, metric, ..., device;
 * in hex */
static void print_routes(void)
{
	FILE *file = fopen("/proc/self/net/ipv6_route", "re");
	char dest[33], gateway[33], device[33];
	unsigned int len, metric, flags;

	while (file && fscanf(file, "%32s %x %*s %*x %32s %x %*x %*x %x %32s", dest, &len, gateway,
			      &metric, &flags, device) == 6) {
		probe_open();
		probe_str("route", dest);
		probe_int("prefixLength", len);
		probe_str("gateway", gateway);
		probe_int("flags", flags);
		probe_str("interface", device);
		probe_close();
	}
	if (file)
		(void)fclose(file);
}

void probe_net(void)
{
	struct ifaddrs *all = NULL;

	if (getifaddrs(&all) == 0)
		for (const struct ifaddrs *a = all; a; a = a->ifa_next)
			print_address(a);
	freeifaddrs(all);
	print_routes();
}

#define ROW(family, type, protocol)                               \
	{                                                         \
#family, #type, #protocol, family, type, protocol \
	}

void probe_sockets(void)
{
	static const struct {
		const char *family_name, *type_name, *protocol_name;
		int family, type, protocol;
	} rows[] = {
		ROW(AF_UNIX, SOCK_STREAM, 0),
		ROW(AF_UNIX, SOCK_SEQPACKET, 0),
		ROW(AF_INET, SOCK_STREAM, 0),
		ROW(AF_INET, SOCK_DGRAM, 0),
		ROW(AF_INET, SOCK_RAW, IPPROTO_ICMP),
		ROW(AF_INET6, SOCK_STREAM, 0),
		ROW(AF_INET6, SOCK_DGRAM, 0),
		ROW(AF_INET6, SOCK_DGRAM, IPPROTO_ICMPV6),
		ROW(AF_INET6, SOCK_RAW, IPPROTO_ICMPV6),
		ROW(AF_INET6, SOCK_RAW, IPPROTO_RAW),
		ROW(AF_INET6, SOCK_STREAM, IPPROTO_SCTP),
		ROW(AF_INET6, SOCK_STREAM, IPPROTO_MPTCP),
		ROW(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE),
		ROW(AF_NETLINK, SOCK_RAW, NETLINK_SOCK_DIAG),
		ROW(AF_NETLINK, SOCK_RAW, NETLINK_NETFILTER),
		ROW(AF_NETLINK, SOCK_RAW, NETLINK_AUDIT),
		ROW(AF_NETLINK, SOCK_RAW, NETLINK_GENERIC),
		ROW(AF_NETLINK, SOCK_RAW, NETLINK_KOBJECT_UEVENT),
		ROW(AF_NETLINK, SOCK_RAW, NETLINK_XFRM),
		ROW(AF_NETLINK, SOCK_RAW, NETLINK_CRYPTO),
		ROW(AF_PACKET, SOCK_RAW, 0),
		ROW(AF_PACKET, SOCK_DGRAM, 0),
		ROW(AF_VSOCK, SOCK_STREAM, 0),
		ROW(AF_ALG, SOCK_SEQPACKET, 0),
		ROW(AF_BLUETOOTH, SOCK_RAW, 1),
		ROW(AF_CAN, SOCK_RAW, 1),
		ROW(AF_KEY, SOCK_RAW, 2),
		ROW(AF_RDS, SOCK_SEQPACKET, 0),
		ROW(AF_TIPC, SOCK_STREAM, 0),
		ROW(AF_XDP, SOCK_RAW, 0),
		ROW(AF_AX25, SOCK_DGRAM, 0),
		ROW(AF_APPLETALK, SOCK_DGRAM, 0),
		ROW(AF_X25, SOCK_SEQPACKET, 0),
	};

	for (size_t i = 0; i < PROBE_COUNT(rows); i++) {
		int fd = socket(rows[i].family, rows[i].type | SOCK_CLOEXEC, rows[i].protocol);

		probe_open();
		probe_str("family", rows[i].family_name);
		probe_str("type", rows[i].type_name);
		probe_str("protocol", rows[i].protocol_name);
		probe_errno("result", fd < 0 ? errno : 0);
		probe_close();
		if (fd >= 0)
			(void)close(fd);
	}
}
