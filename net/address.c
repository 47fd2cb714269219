/* SPDX-License-Identifier: Apache-2.0 */
/*
 * address.c - the address plan: host prefix, addresses and interface names
 *
 *   fdXX:XXXX:XXXX : 0001 : IIII:IIII:IIII:IIII
 *   ULA /48,         net-   the id
 *   once per host    work
 *
 * Nothing but the prefix is stored: a gateway computes the address of an attachment from its id,
 * and two hosts never collide because 40 bits of the prefix are random (RFC 4193 section 3.2).
 */
#include "net/net.h"

#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"

#define PREFIX_FILE  "prefix"
#define PREFIX_BYTES 6  /* /48 */
#define NETWORK_ID   1  /* bits 48..63; 0 is the host itself */
#define ID_DIGITS    13 /* 36^12 < 2^64 <= 36^13 */

static bool is_ula_48(const struct in6_addr *a)
{
	/* RFC 4193 section 3.1: fc00::/7 with the L bit set; section 3.2: /48. */
	if (a->s6_addr[0] != 0xfd)
		return false;
	for (size_t i = PREFIX_BYTES; i < sizeof(a->s6_addr); i++)
		if (a->s6_addr[i] != 0)
			return false;
	return true;
}

/* Read the stored prefix; -ENOENT if there is none yet. */
static int load_prefix(int dirfd, struct in6_addr *ret, struct sb_err *err)
{
	_cleanup_free_ char *text = NULL;
	struct in6_addr prefix;
	size_t len;
	char *slash;

	if (sb_read_at(dirfd, PREFIX_FILE, INET6_ADDRSTRLEN + 4, &text, &len, err) < 0)
		return -err->code;
	if (len > 0 && text[len - 1] == '\n')
		text[--len] = '\0';
	slash = strchr(text, '/');
	if (!slash || strlen(text) != len || strcmp(slash, "/48") != 0)
		return sb_err_set(err, EPROTO, "'%s' does not hold a ULA /48", PREFIX_FILE);
	*slash = '\0';
	if (inet_pton(AF_INET6, text, &prefix) != 1 || !is_ula_48(&prefix))
		return sb_err_set(err, EPROTO, "'%s' does not hold a ULA /48", PREFIX_FILE);
	*ret = prefix;
	return 0;
}

/* Make the file, complete from its first moment on; one that is there already wins. */
static int store_prefix(int dirfd, const struct in6_addr *prefix, struct sb_err *err)
{
	_cleanup_fd_ int fd = -1;
	char addr[INET6_ADDRSTRLEN], text[INET6_ADDRSTRLEN + 8], tmp[64];
	uint64_t unique;
	int ret;

	if (getrandom(&unique, sizeof(unique), 0) != sizeof(unique))
		return sb_err_set(err, errno, "draw random bits");
	(void)inet_ntop(AF_INET6, prefix, addr, sizeof(addr));
	snprintf(text, sizeof(text), "%s/48\n", addr);
	snprintf(tmp, sizeof(tmp), ".%s.%016" PRIx64, PREFIX_FILE, unique);
	fd = openat(dirfd, tmp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return sb_err_set(err, errno, "create '%s'", tmp);
	ret = sb_write_all(fd, text, strlen(text));
	/* Once per host: a file that is empty after a power cut would have to be repaired by hand.
	 */
	if (ret == 0 && fsync(fd) < 0)
		ret = -errno;
	if (ret == 0 && linkat(dirfd, tmp, dirfd, PREFIX_FILE, 0) < 0 && errno != EEXIST)
		ret = -errno;
	(void)unlinkat(dirfd, tmp, 0);
	return ret < 0 ? sb_err_set(err, -ret, "write '%s'", PREFIX_FILE) : 0;
}

/**
 * sb_net_prefix() - The address prefix of this host, drawn at the first call
 * @state_dirfd: directory that holds the file "prefix" (mode 0600: "fd12:3456:789a::/48"); borrowed
 * @ret:	prefix, /48
 *
 * Any number of processes may call it at once: all get the same prefix.
 *
 * Return: 0, or a negative errno value (-EPROTO: the file holds something else)
 */
int sb_net_prefix(int state_dirfd, struct in6_addr *ret, struct sb_err *err)
{
	struct in6_addr drawn = { .s6_addr = { 0xfd } };
	struct sb_err e = SB_ERR_INIT;
	int r = load_prefix(state_dirfd, ret, &e);

	if (r == -ENOENT) {
		/* RFC 4193 section 3.2.1: the global id has to be random, not how it is drawn. */
		if (getrandom(drawn.s6_addr + 1, PREFIX_BYTES - 1, 0) != PREFIX_BYTES - 1)
			return sb_err_set(err, errno, "draw random bits");
		if (store_prefix(state_dirfd, &drawn, err) < 0)
			return -err->code;
		r = load_prefix(state_dirfd, ret, &e);
	}
	if (r == -EPROTO || r == -EFBIG)
		sb_err_hint(&e, "remove the file to draw a new prefix; living sandboxes keep "
				"addresses of the old one");
	if (r < 0)
		*err = e;
	return r;
}

/**
 * sb_net_plan() - Compute names and addresses of one attachment
 * @prefix:	/48 of the host
 * @id:		number of the attachment
 * @ret:	the plan
 */
void sb_net_plan(const struct in6_addr *prefix, uint64_t id, struct sb_net_plan *ret)
{
	static const char digits[] = "0123456789abcdefghijklmnopqrstuvwxyz";
	struct sb_net_plan plan = { .host_if = "sb", .addr = *prefix, .gateway = *prefix };
	uint64_t id_be = htobe64(id);
	uint16_t network_be = htobe16(NETWORK_ID);

	memcpy(plan.addr.s6_addr + PREFIX_BYTES, &network_be, sizeof(network_be));
	memcpy(plan.addr.s6_addr + 8, &id_be, sizeof(id_be));
	plan.gateway.s6_addr[15] = 1;
	for (int i = ID_DIGITS; i > 0; i--) {
		plan.host_if[1 + i] = digits[id % 36];
		id /= 36;
	}
	*ret = plan;
}

/**
 * sb_net_id_is_usable() - Whether an id makes an ordinary interface identifier
 * @id:		number of an attachment
 *
 * Refuses what RFC 5453 and its IANA registry reserve: the subnet router's anycast address (0), the
 * IANA Ethernet block, and the anycast addresses of RFC 2526 in both of their forms.
 *
 * Return: true if it may be used
 */
bool sb_net_id_is_usable(uint64_t id)
{
	return id != 0 &&
	       !(id >= UINT64_C(0x02005efffe000000) && id <= UINT64_C(0x02005efffeffffff)) &&
	       !(id >= UINT64_C(0xfdffffffffffff80) && id <= UINT64_C(0xfdffffffffffffff)) &&
	       id < UINT64_C(0xffffffffffffff80);
}
