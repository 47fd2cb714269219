/* SPDX-License-Identifier: Apache-2.0 */
/*
 * net_bed.h - network namespaces to test in: one that plays the host, and any number of others
 *
 * The machine's own network is never touched.
 */
#ifndef SB_TESTS_UNIT_NET_BED_H
#define SB_TESTS_UNIT_NET_BED_H

#include "tests/unit/unit.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "net/firewall.h"
#include "net/net.h"
#include "net/nl.h"
#include "runtime/base/err.h"
#include "runtime/base/sys.h"

/* Create and dismiss as a caller does that keeps no connection. */
static inline int bed_net_create(const struct sb_net_plan *plan, int netns_fd, struct sb_err *err)
{
	struct sb_net net = SB_NET_INIT;
	int ret = sb_net_open(&net, err);

	if (ret == 0)
		ret = sb_net_create(&net, plan, netns_fd, err);
	sb_net_close(&net);
	return ret;
}

static inline void bed_net_dismiss(const struct sb_net_plan *plan)
{
	struct sb_net net = SB_NET_INIT;
	struct sb_err err = SB_ERR_INIT;

	assert_int_equal(sb_net_open(&net, &err), 0);
	sb_net_dismiss(&net, plan);
	sb_net_close(&net);
}

static const struct in6_addr bed_prefix = { .s6_addr = { 0xfd, 0x5b, 1, 2, 3, 4 } };

/* Go into a new namespace that plays the host from now on. */
static inline int bed_host(void **state)
{
	struct ifreq lo = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	int fd;

	(void)state;
	unit_need_root();
	if (unshare(CLONE_NEWNET) < 0)
		unit_skip("cannot make network namespaces");
	if (access("/usr/sbin/nft", X_OK) < 0)
		unit_skip("needs nft");
	fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_int_equal(ioctl(fd, SIOCSIFFLAGS, &lo), 0);
	close(fd);
	return 0;
}

static inline int bed_here(void)
{
	int fd = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	return fd;
}

/* Make another namespace; the caller stays where it is. */
static inline int bed_netns(void)
{
	int home = bed_here();
	int fd;

	assert_int_equal(unshare(CLONE_NEWNET), 0);
	fd = bed_here();
	assert_int_equal(setns(home, CLONE_NEWNET), 0);
	close(home);
	return fd;
}

/* Make a socket in a namespace, -1 for the caller's own. */
static inline int bed_socket(int netns, int family, int type)
{
	int home = bed_here();
	int fd;

	if (netns >= 0)
		assert_int_equal(setns(netns, CLONE_NEWNET), 0);
	fd = socket(family, type | SOCK_CLOEXEC, 0);
	assert_true(fd >= 0);
	assert_int_equal(setns(home, CLONE_NEWNET), 0);
	close(home);
	return fd;
}

static inline struct sockaddr_in6 bed_sockaddr(const struct in6_addr *addr, uint16_t port)
{
	return (struct sockaddr_in6){ .sin6_family = AF_INET6,
				      .sin6_addr = *addr,
				      .sin6_port = htons(port) };
}

/* A socket of @type in @netns bound to an address, also one that is not there; TCP listens. */
static inline int bed_bind(int netns, int type, const struct in6_addr *addr, uint16_t port)
{
	struct sockaddr_in6 sa = bed_sockaddr(addr, port);
	int fd = bed_socket(netns, AF_INET6, type);
	int one = 1;

	(void)setsockopt(fd, IPPROTO_IPV6, IPV6_FREEBIND, &one, sizeof(one));
	assert_int_equal(bind(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	if (type == SOCK_STREAM)
		assert_int_equal(listen(fd, 16), 0);
	return fd;
}

/* Whether something can be read within @ms milliseconds. */
static inline int bed_readable(int fd, int ms)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return poll(&p, 1, ms);
}

/* Connect from @netns to an address; 0, or the errno value, ETIMEDOUT after @ms milliseconds. */
static inline int bed_connect(int netns, int type, const struct in6_addr *addr, uint16_t port,
			      int ms)
{
	struct sockaddr_in6 sa = bed_sockaddr(addr, port);
	int fd = bed_socket(netns, AF_INET6, type | SOCK_NONBLOCK);
	struct pollfd p = { .fd = fd, .events = POLLOUT };
	socklen_t len = sizeof(int);
	int ret = 0;

	if (connect(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0)
		ret = errno;
	if (ret == EINPROGRESS) {
		ret = ETIMEDOUT;
		if (poll(&p, 1, ms) > 0)
			assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_ERROR, &ret, &len), 0);
	}
	close(fd);
	return ret;
}

/* Number of interfaces in this namespace. */
static inline int bed_count_links(void)
{
	struct if_nameindex *list = if_nameindex();
	int n = 0;

	assert_non_null(list);
	while (list[n].if_index)
		n++;
	if_freenameindex(list);
	return n;
}

/* Run a program with one argument after another; its exit status, and what it wrote in @out. */
static inline int bed_run(char *out, size_t size, const char *const argv[])
{
	int fds[2], status;
	size_t len = 0;
	ssize_t n;
	pid_t pid;

	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		(void)dup2(fds[1], STDOUT_FILENO);
		(void)dup2(fds[1], STDERR_FILENO);
		(void)execv(argv[0], (char *const *)(uintptr_t)argv);
		_exit(127);
	}
	close(fds[1]);
	while ((n = read(fds[0], out + len, size - 1 - len)) > 0)
		len += (size_t)n;
	out[len] = '\0';
	close(fds[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static inline int bed_admit(const struct in6_addr *addr)
{
	_cleanup_nl_ struct sb_nl nl = SB_NL_INIT;
	struct sb_err err = SB_ERR_INIT;

	assert_int_equal(sb_firewall_open(&nl, &err), 0);
	return sb_firewall_admit(&nl, addr, &err);
}

static inline int bed_dismiss(const struct in6_addr *addr)
{
	_cleanup_nl_ struct sb_nl nl = SB_NL_INIT;
	struct sb_err err = SB_ERR_INIT;

	assert_int_equal(sb_firewall_open(&nl, &err), 0);
	return sb_firewall_dismiss(&nl, addr, &err);
}

/* Wait until the kernel no longer finds a dismissed address: a tick of its clock. */
static inline void bed_await_dismissal(const struct in6_addr *addr)
{
	char text[INET6_ADDRSTRLEN], command[128], out[1024];
	const char *const argv[] = { "/usr/sbin/nft", command, NULL };
	uint64_t deadline_ms = sb_now_ms() + 1000;

	snprintf(command, sizeof(command), "get element inet sbrun addresses { %s }",
		 inet_ntop(AF_INET6, addr, text, sizeof(text)));
	while (bed_run(out, sizeof(out), argv) == 0)
		assert_true(sb_now_ms() < deadline_ms);
}

/* Attach a namespace; the test fails with the error's text if that fails. */
static inline void bed_create(const struct sb_net_plan *plan, int netns)
{
	struct sb_err err = SB_ERR_INIT;
	char text[512];

	if (bed_net_create(plan, netns, &err) < 0)
		fail_msg("%s", sb_err_text(&err, text, sizeof(text)));
}

#endif /* SB_TESTS_UNIT_NET_BED_H */
