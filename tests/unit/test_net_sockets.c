/* SPDX-License-Identifier: Apache-2.0 */
/* test_net_sockets.c - what listens, and whether it can be reached */
#include "net/net.h"

#include "tests/unit/net_bed.h"

#include <arpa/inet.h>

static const struct in6_addr own = { .s6_addr = { 0xfd, 0x5b, [15] = 7 } };

struct fixture {
	int ns;
	int diag;
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct sb_err err = SB_ERR_INIT;
	struct ifreq lo = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	int fd;

	f->ns = bed_netns();
	fd = bed_socket(f->ns, AF_INET6, SOCK_DGRAM);
	assert_int_equal(ioctl(fd, SIOCSIFFLAGS, &lo), 0);
	close(fd);
	f->diag = sb_sock_diag_open(f->ns, &err);
	assert_true(f->diag >= 0);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	close(f->diag);
	close(f->ns);
	free(f);
	return 0;
}

/* List, and expect exactly @n. */
static struct sb_listener *list(int diag, size_t n)
{
	struct sb_err err = SB_ERR_INIT;
	struct sb_listener *l = NULL;
	size_t found = 99;

	assert_int_equal(sb_listeners(diag, &l, &found, &err), 0);
	assert_int_equal(found, n);
	return l;
}

static int bind4(int ns, int type, const char *addr, uint16_t port)
{
	struct sockaddr_in sa = { .sin_family = AF_INET, .sin_port = htons(port) };
	int fd = bed_socket(ns, AF_INET, type);

	assert_int_equal(inet_pton(AF_INET, addr, &sa.sin_addr), 1);
	assert_int_equal(bind(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	if (type == SOCK_STREAM)
		assert_int_equal(listen(fd, 5), 0);
	return fd;
}

static const char *addr_text(const struct sb_listener *l)
{
	static char buf[INET6_ADDRSTRLEN];

	return inet_ntop(AF_INET6, &l->addr, buf, sizeof(buf));
}

static void an_empty_namespace_has_no_listeners(void **state)
{
	struct fixture *f = *state;

	assert_null(list(f->diag, 0));
}

static void a_dual_stack_tcp_listener_is_listed_with_all_its_fields(void **state)
{
	struct fixture *f = *state;
	int fd = bed_bind(f->ns, SOCK_STREAM, &in6addr_any, 8080);
	struct sb_listener *l = list(f->diag, 1);
	char link[64], want[64];
	char path[64];
	ssize_t n;

	assert_int_equal(l->proto, SB_PROTO_TCP);
	assert_int_equal(l->family, AF_INET6);
	assert_string_equal(addr_text(l), "::");
	assert_int_equal(l->port, 8080);
	assert_false(l->v6only);
	assert_int_equal(l->ifindex, 0);
	assert_int_equal(l->backlog, 16);
	assert_int_equal(l->pending, 0);
	assert_int_equal(l->uid, 0);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	n = readlink(path, link, sizeof(link) - 1);
	assert_true(n > 0);
	link[n] = '\0';
	snprintf(want, sizeof(want), "socket:[%u]", l->inode);
	assert_string_equal(link, want);
	free(l);
	close(fd);
}

static void a_v6only_listener_says_so(void **state)
{
	struct sockaddr_in6 sa = { .sin6_family = AF_INET6, .sin6_port = htons(8081) };
	struct fixture *f = *state;
	int fd = bed_socket(f->ns, AF_INET6, SOCK_STREAM);
	struct sb_listener *l;
	int one = 1;

	assert_int_equal(setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one)), 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	assert_int_equal(listen(fd, 1), 0);
	l = list(f->diag, 1);
	assert_true(l->v6only);
	free(l);
	close(fd);
}

static void an_ipv4_listener_is_listed_with_a_mapped_address(void **state)
{
	struct fixture *f = *state;
	int fd = bind4(f->ns, SOCK_STREAM, "127.0.0.1", 8082);
	struct sb_listener *l = list(f->diag, 1);

	assert_int_equal(l->family, AF_INET);
	assert_string_equal(addr_text(l), "::ffff:127.0.0.1");
	assert_false(l->v6only);
	free(l);
	close(fd);
}

static void udp_sockets_are_listed_until_they_are_connected(void **state)
{
	struct sockaddr_in6 peer = bed_sockaddr(&in6addr_loopback, 9);
	struct fixture *f = *state;
	int six = bed_bind(f->ns, SOCK_DGRAM, &in6addr_any, 5300);
	int four = bind4(f->ns, SOCK_DGRAM, "0.0.0.0", 5301);
	struct sb_listener *l = list(f->diag, 2);

	assert_int_equal(l[0].proto, SB_PROTO_UDP);
	assert_int_equal(l[0].port, 5300);
	assert_int_equal(l[0].backlog, 0);
	assert_string_equal(addr_text(&l[1]), "::ffff:0.0.0.0");
	free(l);
	assert_int_equal(connect(six, (struct sockaddr *)&peer, sizeof(peer)), 0);
	l = list(f->diag, 1);
	assert_int_equal(l->port, 5301);
	free(l);
	close(six);
	close(four);
}

static void connections_and_bound_tcp_sockets_are_no_listeners(void **state)
{
	struct sockaddr_in6 sa = bed_sockaddr(&in6addr_loopback, 8083);
	struct sockaddr_in6 any = bed_sockaddr(&in6addr_any, 8084);
	struct fixture *f = *state;
	int server = bed_bind(f->ns, SOCK_STREAM, &in6addr_loopback, 8083);
	int client = bed_socket(f->ns, AF_INET6, SOCK_STREAM);
	int bound = bed_socket(f->ns, AF_INET6, SOCK_STREAM);
	struct sb_listener *l;

	assert_int_equal(connect(client, (struct sockaddr *)&sa, sizeof(sa)), 0);
	/* The client's last packet may still be on its way to the server. */
	assert_int_equal(bed_readable(server, 1000), 1);
	assert_int_equal(bind(bound, (struct sockaddr *)&any, sizeof(any)), 0);
	l = list(f->diag, 1);
	assert_int_equal(l->port, 8083);
	assert_int_equal(l->pending, 1);
	free(l);
	close(bound);
	close(client);
	close(server);
}

static void a_socket_on_a_device_names_it(void **state)
{
	struct fixture *f = *state;
	int fd = bed_bind(f->ns, SOCK_STREAM, &in6addr_any, 8085);
	struct sb_listener *l;

	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, "lo", 3), 0);
	l = list(f->diag, 1);
	assert_int_equal(l->ifindex, 1);
	assert_int_equal(sb_listener_reach(l, &own), SB_REACH_LOOPBACK_ONLY);
	free(l);
	close(fd);
}

static void the_list_is_sorted_and_complete_when_it_is_long(void **state)
{
	struct fixture *f = *state;
	int fds[600];
	struct sb_listener *l;

	for (int i = 0; i < 600; i++)
		fds[i] = bed_bind(f->ns, SOCK_STREAM, &in6addr_any, (uint16_t)(20599 - i));
	l = list(f->diag, 600);
	for (int i = 0; i < 600; i++)
		assert_int_equal(l[i].port, 20000 + i);
	free(l);
	for (int i = 0; i < 600; i++)
		close(fds[i]);
	assert_null(list(f->diag, 0));
}

static void only_the_sockets_of_that_namespace_are_listed(void **state)
{
	struct sb_err err = SB_ERR_INIT;
	struct fixture *f = *state;
	int diag = sb_sock_diag_open(-1, &err);
	int fd = bed_bind(-1, SOCK_STREAM, &in6addr_any, 8086);
	struct sb_listener *l;

	assert_null(list(f->diag, 0));
	l = list(diag, 1);
	assert_int_equal(l->port, 8086);
	free(l);
	close(fd);
	close(diag);
}

static void opening_leaves_the_caller_where_it_was(void **state)
{
	struct sb_err err = SB_ERR_INIT;
	struct fixture *f = *state;
	char before[64] = { 0 }, after[64] = { 0 };
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	int diag;

	assert_true(readlink("/proc/self/ns/net", before, sizeof(before) - 1) > 0);
	diag = sb_sock_diag_open(f->ns, &err);
	assert_true(diag >= 0);
	assert_int_equal(fcntl(diag, F_GETFD), FD_CLOEXEC);
	assert_int_equal(sb_sock_diag_open(null, &err), -EINVAL);
	assert_true(readlink("/proc/self/ns/net", after, sizeof(after) - 1) > 0);
	assert_string_equal(before, after);
	close(diag);
	close(null);
}

static void what_is_no_diag_socket_is_an_error(void **state)
{
	struct sb_err err = SB_ERR_INIT;
	struct sb_listener *l = NULL;
	size_t n = 7;

	(void)state;
	assert_int_equal(sb_listeners(-1, &l, &n, &err), -EBADF);
	assert_null(l);
	assert_int_equal(n, 7);
}

/* Diagnosis: no sockets needed, so these run without privileges. */

static struct sb_listener on(int family, const char *addr)
{
	struct sb_listener l = { .family = family, .port = 80 };

	assert_int_equal(inet_pton(AF_INET6, addr, &l.addr), 1);
	return l;
}

static void each_kind_of_address_has_its_diagnosis(void **state)
{
	static const struct {
		int family;
		const char *addr;
		const char *name;
		const char *advice;
	} table[] = {
		{ AF_INET6, "::", "reachable", "reachable at [fd5b::7]:80" },
		{ AF_INET6, "fd5b::7", "reachable", "reachable at [fd5b::7]:80" },
		{ AF_INET6, "::1", "loopback_only",
		  "listens on ::1, IPv6 loopback only: bind to :: to be reachable" },
		{ AF_INET, "::ffff:127.0.0.1", "loopback_only",
		  "listens on 127.0.0.1, IPv4 loopback only: bind to :: to be reachable" },
		{ AF_INET, "::ffff:127.1.2.3", "loopback_only",
		  "listens on 127.1.2.3, IPv4 loopback only: bind to :: to be reachable" },
		{ AF_INET6, "::ffff:127.0.0.1", "loopback_only",
		  "listens on ::ffff:127.0.0.1, IPv4 loopback only: bind to :: to be reachable" },
		{ AF_INET, "::ffff:0.0.0.0", "ipv4_only",
		  "listens on 0.0.0.0, IPv4 only, and the network is IPv6: "
		  "bind to :: to be reachable" },
		{ AF_INET6, "::ffff:192.0.2.1", "ipv4_only",
		  "listens on ::ffff:192.0.2.1, IPv4 only, and the network is IPv6: "
		  "bind to :: to be reachable" },
		{ AF_INET6, "fd5b::8", "not_listening",
		  "listens on fd5b::8, not on [fd5b::7]: bind to :: to be reachable" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct sb_listener l = on(table[i].family, table[i].addr);
		char buf[SB_NET_ADVICE_LEN];

		assert_string_equal(sb_reach_name(sb_listener_reach(&l, &own)), table[i].name);
		assert_string_equal(sb_reach_advice(&l, &own, buf, sizeof(buf)), table[i].advice);
	}
}

static void nobody_listening_is_a_diagnosis_too(void **state)
{
	char buf[SB_NET_ADVICE_LEN];

	(void)state;
	assert_int_equal(sb_listener_reach(NULL, &own), SB_REACH_NOT_LISTENING);
	assert_string_equal(sb_reach_advice(NULL, &own, buf, sizeof(buf)),
			    "nothing listens on this port");
}

static void the_longest_advice_fits(void **state)
{
	struct sb_listener l = on(AF_INET6, "1111:2222:3333:4444:5555:6666:7777:8888");
	struct in6_addr addr = on(AF_INET6, "ffff:2222:3333:4444:5555:6666:7777:8888").addr;
	char buf[SB_NET_ADVICE_LEN];
	const char *end = "to be reachable";

	(void)state;
	sb_reach_advice(&l, &addr, buf, sizeof(buf));
	assert_string_equal(buf + strlen(buf) - strlen(end), end);
}

int main(void)
{
	const struct CMUnitTest plain[] = {
		cmocka_unit_test(each_kind_of_address_has_its_diagnosis),
		cmocka_unit_test(nobody_listening_is_a_diagnosis_too),
		cmocka_unit_test(the_longest_advice_fits),
	};
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(an_empty_namespace_has_no_listeners, setup,
						teardown),
		cmocka_unit_test_setup_teardown(
			a_dual_stack_tcp_listener_is_listed_with_all_its_fields, setup, teardown),
		cmocka_unit_test_setup_teardown(a_v6only_listener_says_so, setup, teardown),
		cmocka_unit_test_setup_teardown(an_ipv4_listener_is_listed_with_a_mapped_address,
						setup, teardown),
		cmocka_unit_test_setup_teardown(udp_sockets_are_listed_until_they_are_connected,
						setup, teardown),
		cmocka_unit_test_setup_teardown(connections_and_bound_tcp_sockets_are_no_listeners,
						setup, teardown),
		cmocka_unit_test_setup_teardown(a_socket_on_a_device_names_it, setup, teardown),
		cmocka_unit_test_setup_teardown(the_list_is_sorted_and_complete_when_it_is_long,
						setup, teardown),
		cmocka_unit_test_setup_teardown(only_the_sockets_of_that_namespace_are_listed,
						setup, teardown),
		cmocka_unit_test_setup_teardown(opening_leaves_the_caller_where_it_was, setup,
						teardown),
		cmocka_unit_test(what_is_no_diag_socket_is_an_error),
	};
	int failed = cmocka_run_group_tests(plain, NULL, NULL);

	return failed ? failed : cmocka_run_group_tests(tests, bed_host, NULL);
}
