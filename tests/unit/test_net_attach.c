/* SPDX-License-Identifier: Apache-2.0 */
/* test_net_attach.c - creating and destroying attachments, and what packets then do */
#include "net/net.h"

#include "tests/unit/net_bed.h"

#include <netinet/tcp.h>

#include "runtime/base/fd.h"
#include "runtime/base/sys.h"

#define SOON_MS     200 /* a lost first packet is sent again after a second */
#define PORT        8080
#define IPV6_IS_OFF "/proc/sys/net/ipv6/conf/default/disable_ipv6"

/* Two attachments that are there for the tests of one group. */
struct fixture {
	struct sb_net_plan a, b;
	int ns_a, ns_b;
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	sb_net_plan(&bed_prefix, UINT64_C(0xa), &f->a);
	sb_net_plan(&bed_prefix, UINT64_C(0xb), &f->b);
	f->ns_a = bed_netns();
	f->ns_b = bed_netns();
	bed_create(&f->a, f->ns_a);
	bed_create(&f->b, f->ns_b);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	close(f->ns_a);
	close(f->ns_b);
	sb_net_destroy(&f->a);
	sb_net_destroy(&f->b);
	free(f);
	return 0;
}

static int count(const struct in6_addr *addr, void *arg)
{
	(void)addr;
	++*(int *)arg;
	return 0;
}

static int count_addresses(void)
{
	struct sb_err err = SB_ERR_INIT;
	int n = 0;

	assert_int_equal(sb_net_for_each_address(count, &n, &err), 0);
	return n;
}

static void the_first_connection_from_the_host_succeeds_at_once(void **state)
{
	(void)state;
	for (uint64_t i = 0; i < 50; i++) {
		struct sb_net_plan plan;
		int ns = bed_netns();
		int fd;

		sb_net_plan(&bed_prefix, UINT64_C(0x1000) + i, &plan);
		bed_create(&plan, ns);
		fd = bed_bind(ns, SOCK_STREAM, &plan.addr, PORT);
		assert_int_equal(bed_connect(-1, SOCK_STREAM, &plan.addr, PORT, SOON_MS), 0);
		close(fd);
		close(ns);
		sb_net_destroy(&plan);
	}
}

static void on_a_fresh_host_the_first_connection_succeeds_too(void **state)
{
	(void)state;
	for (int i = 0; i < 20; i++) {
		pid_t pid = fork();
		int status;

		assert_true(pid >= 0);
		if (pid == 0) {
			struct sb_net_plan plan;
			int ns;

			(void)bed_host(NULL);
			ns = bed_netns();
			sb_net_plan(&bed_prefix, 1, &plan);
			bed_create(&plan, ns);
			(void)bed_bind(ns, SOCK_STREAM, &plan.addr, PORT);
			_exit(bed_connect(-1, SOCK_STREAM, &plan.addr, PORT, SOON_MS));
		}
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_int_equal(status, 0);
	}
}

static void a_server_on_the_unspecified_address_is_reached(void **state)
{
	struct fixture *f = *state;
	int fd = bed_bind(f->ns_a, SOCK_STREAM, &in6addr_any, PORT);

	assert_int_equal(bed_connect(-1, SOCK_STREAM, &f->a.addr, PORT, SOON_MS), 0);
	close(fd);
}

static void a_closed_port_is_refused_at_once(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(bed_connect(-1, SOCK_STREAM, &f->a.addr, PORT, SOON_MS), ECONNREFUSED);
}

static void the_host_speaks_from_the_gateway_address(void **state)
{
	struct fixture *f = *state;
	struct sockaddr_in6 from, to = bed_sockaddr(&f->a.addr, PORT);
	socklen_t len = sizeof(from);
	int fd = bed_bind(f->ns_a, SOCK_DGRAM, &f->a.addr, PORT);
	int out = bed_socket(-1, AF_INET6, SOCK_DGRAM);
	char byte;

	assert_int_equal(sendto(out, "x", 1, 0, (struct sockaddr *)&to, sizeof(to)), 1);
	assert_int_equal(bed_readable(fd, SOON_MS), 1);
	assert_int_equal(recvfrom(fd, &byte, 1, 0, (struct sockaddr *)&from, &len), 1);
	assert_memory_equal(&from.sin6_addr, &f->a.gateway, sizeof(f->a.gateway));
	close(out);
	close(fd);
}

static void a_sandbox_cannot_call_the_host(void **state)
{
	struct fixture *f = *state;
	int fd = bed_bind(-1, SOCK_STREAM, &in6addr_any, PORT);

	assert_int_equal(bed_connect(-1, SOCK_STREAM, &f->a.gateway, PORT, SOON_MS), 0);
	assert_int_equal(bed_connect(f->ns_a, SOCK_STREAM, &f->a.gateway, PORT, SOON_MS),
			 ECONNREFUSED);
	close(fd);
}

static void a_sandbox_cannot_call_another_one(void **state)
{
	struct fixture *f = *state;
	int fd = bed_bind(f->ns_b, SOCK_STREAM, &f->b.addr, PORT);

	assert_int_equal(bed_connect(-1, SOCK_STREAM, &f->b.addr, PORT, SOON_MS), 0);
	assert_int_equal(bed_connect(f->ns_a, SOCK_STREAM, &f->b.addr, PORT, SOON_MS),
			 ECONNREFUSED);
	close(fd);
}

static void a_forwarding_host_does_not_connect_sandboxes_either(void **state)
{
	struct fixture *f = *state;
	struct sb_err err = SB_ERR_INIT;
	int fd = bed_bind(f->ns_b, SOCK_STREAM, &f->b.addr, PORT);

	assert_int_equal(sb_put_at(AT_FDCWD, "/proc/sys/net/ipv6/conf/all/forwarding", "1", &err),
			 0);
	assert_int_equal(bed_connect(f->ns_a, SOCK_STREAM, &f->b.addr, PORT, SOON_MS),
			 ECONNREFUSED);
	assert_int_equal(sb_put_at(AT_FDCWD, "/proc/sys/net/ipv6/conf/all/forwarding", "0", &err),
			 0);
	close(fd);
}

/* Make B a neighbour like any other: an interface that is not in the sandboxes' group. */
static void make_b_an_ordinary_host(struct fixture *f)
{
	const char *const argv[] = { "/sbin/ip",   "link",  "set",     "dev",
				     f->b.host_if, "group", "default", NULL };
	char out[256];

	assert_int_equal(bed_run(out, sizeof(out), argv), 0);
}

static void a_forwarding_host_lets_nobody_else_call_a_sandbox(void **state)
{
	struct fixture *f = *state;
	struct sb_err err = SB_ERR_INIT;
	int fd = bed_bind(f->ns_a, SOCK_STREAM, &f->a.addr, PORT);

	make_b_an_ordinary_host(f);
	assert_int_equal(sb_put_at(AT_FDCWD, "/proc/sys/net/ipv6/conf/all/forwarding", "1", &err),
			 0);
	assert_int_equal(bed_connect(f->ns_b, SOCK_STREAM, &f->a.addr, PORT, SOON_MS),
			 ECONNREFUSED);
	assert_int_equal(sb_put_at(AT_FDCWD, "/proc/sys/net/ipv6/conf/all/forwarding", "0", &err),
			 0);
	assert_int_equal(bed_connect(-1, SOCK_STREAM, &f->a.addr, PORT, SOON_MS), 0);
	close(fd);
}

static void interfaces_that_are_not_ours_are_left_alone(void **state)
{
	struct fixture *f = *state;
	int fd = bed_bind(-1, SOCK_STREAM, &in6addr_any, PORT);

	assert_int_equal(bed_connect(f->ns_b, SOCK_STREAM, &f->b.gateway, PORT, SOON_MS),
			 ECONNREFUSED);
	make_b_an_ordinary_host(f);
	assert_int_equal(bed_connect(f->ns_b, SOCK_STREAM, &f->b.gateway, PORT, SOON_MS), 0);
	close(fd);
}

static void a_sandbox_is_refused_fast_by_the_rest_of_the_world(void **state)
{
	struct in6_addr world = { .s6_addr = { 0x20, 1, 0xd, 0xb8, [15] = 1 } };
	struct fixture *f = *state;
	struct sockaddr_in6 to = bed_sockaddr(&world, 53);
	int fd = bed_socket(f->ns_a, AF_INET6, SOCK_DGRAM);
	int e = 0;
	socklen_t len = sizeof(e);

	assert_int_equal(bed_connect(f->ns_a, SOCK_STREAM, &world, 443, SOON_MS), ECONNREFUSED);
	assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
	assert_int_equal(send(fd, "x", 1, 0), 1);
	assert_int_equal(bed_readable(fd, SOON_MS), 1);
	assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_ERROR, &e, &len), 0);
	assert_int_equal(e, EACCES); /* administratively prohibited (RFC 4443 section 3.1) */
	close(fd);
}

/*
 * An exchange of datagrams between the host and B is open, so its packets pass as established:
 * does one get through that @from sends with B's address? It is sent after the firewall was told to
 * forget B if @dismiss is set.
 */
static int gets_through(struct fixture *f, int from, bool dismiss)
{
	struct sockaddr_in6 to_host = bed_sockaddr(&f->a.gateway, 9001);
	struct sockaddr_in6 to_b = bed_sockaddr(&f->b.addr, 9000);
	int host = bed_bind(-1, SOCK_DGRAM, &f->a.gateway, 9001);
	int fd = bed_bind(from, SOCK_DGRAM, &f->b.addr, 9000);
	int ret;

	assert_int_equal(sendto(host, "x", 1, 0, (struct sockaddr *)&to_b, sizeof(to_b)), 1);
	if (dismiss) {
		assert_true(bed_dismiss(&f->b.addr) >= 0);
		bed_await_dismissal(&f->b.addr);
	}
	assert_int_equal(sendto(fd, "x", 1, 0, (struct sockaddr *)&to_host, sizeof(to_host)), 1);
	ret = bed_readable(host, SOON_MS);
	close(fd);
	close(host);
	return ret;
}

static void a_stolen_source_address_is_dropped(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(gets_through(f, f->ns_b, false), 1);
	assert_int_equal(gets_through(f, f->ns_a, false), 0);
}

static void an_address_that_the_firewall_does_not_know_is_cut_off(void **state)
{
	struct fixture *f = *state;
	int fd = bed_bind(f->ns_b, SOCK_STREAM, &f->b.addr, PORT);

	assert_int_equal(gets_through(f, f->ns_b, false), 1);
	assert_true(bed_dismiss(&f->b.addr) >= 0);
	bed_await_dismissal(&f->b.addr);
	assert_int_equal(bed_connect(-1, SOCK_STREAM, &f->b.addr, PORT, SOON_MS), ECONNREFUSED);
	assert_int_equal(bed_admit(&f->b.addr), 0);
	assert_int_equal(bed_connect(-1, SOCK_STREAM, &f->b.addr, PORT, SOON_MS), 0);
	close(fd);
}

static void an_unknown_source_address_is_dropped_in_an_open_exchange(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(gets_through(f, f->ns_b, true), 0);
}

static void inside_ipv4_is_loopback_only(void **state)
{
	struct sockaddr_in sa = { .sin_family = AF_INET, .sin_port = htons(PORT) };
	struct fixture *f = *state;
	int server = bed_socket(f->ns_a, AF_INET, SOCK_STREAM);
	int client = bed_socket(f->ns_a, AF_INET, SOCK_STREAM);

	sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(bind(server, (struct sockaddr *)&sa, sizeof(sa)), 0);
	assert_int_equal(listen(server, 1), 0);
	assert_int_equal(connect(client, (struct sockaddr *)&sa, sizeof(sa)), 0);
	close(client);
	client = bed_socket(f->ns_a, AF_INET, SOCK_STREAM);
	sa.sin_addr.s_addr = htonl(0xc0000201); /* 192.0.2.1 */
	assert_int_equal(connect(client, (struct sockaddr *)&sa, sizeof(sa)), -1);
	assert_int_equal(errno, ENETUNREACH);
	close(client);
	close(server);
}

static void the_default_route_has_the_mtu_of_the_world(void **state)
{
	struct in6_addr world = { .s6_addr = { 0x20, 1, 0xd, 0xb8, [15] = 1 } };
	struct fixture *f = *state;
	struct sockaddr_in6 to = bed_sockaddr(&world, 53);
	int fd = bed_socket(f->ns_a, AF_INET6, SOCK_DGRAM);
	int mtu = 0;
	socklen_t len = sizeof(mtu);

	assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
	assert_int_equal(getsockopt(fd, IPPROTO_IPV6, IPV6_MTU, &mtu, &len), 0);
	assert_int_equal(mtu, 1500);
	close(fd);
}

static void everybody_inside_may_ping_and_use_low_ports(void **state)
{
	struct fixture *f = *state;
	int home = bed_here();
	char ping[32], port[8];

	assert_int_equal(setns(f->ns_a, CLONE_NEWNET), 0);
	assert_true(sb_read_small_at(AT_FDCWD, "/proc/sys/net/ipv4/ping_group_range", ping,
				     sizeof(ping)) > 0);
	assert_true(sb_read_small_at(AT_FDCWD, "/proc/sys/net/ipv4/ip_unprivileged_port_start",
				     port, sizeof(port)) > 0);
	assert_int_equal(setns(home, CLONE_NEWNET), 0);
	close(home);
	assert_string_equal(ping, "0\t2147483647");
	assert_string_equal(port, "0");
}

static void the_host_end_takes_no_router_advertisements(void **state)
{
	struct fixture *f = *state;
	char path[96], value[8];

	snprintf(path, sizeof(path), "/proc/sys/net/ipv6/conf/%s/accept_ra", f->a.host_if);
	assert_true(sb_read_small_at(AT_FDCWD, path, value, sizeof(value)) > 0);
	assert_string_equal(value, "0");
}

static void there_are_no_link_local_addresses_on_either_end(void **state)
{
	struct fixture *f = *state;
	int home = bed_here();
	char *text;
	struct sb_err err = SB_ERR_INIT;

	assert_int_equal(
		sb_read_at(AT_FDCWD, "/proc/self/net/if_inet6", 1 << 16, &text, NULL, &err), 0);
	assert_null(strstr(text, "fe80"));
	free(text);
	assert_int_equal(setns(f->ns_a, CLONE_NEWNET), 0);
	assert_int_equal(
		sb_read_at(AT_FDCWD, "/proc/self/net/if_inet6", 1 << 16, &text, NULL, &err), 0);
	assert_null(strstr(text, "fe80"));
	free(text);
	assert_int_equal(setns(home, CLONE_NEWNET), 0);
	close(home);
}

static void it_works_on_a_host_whose_default_is_without_ipv6(void **state)
{
	struct sb_err err = SB_ERR_INIT;
	struct sb_net_plan plan;
	int ns = bed_netns();
	int home = bed_here();
	int fd;

	(void)state;
	assert_int_equal(sb_put_at(AT_FDCWD, IPV6_IS_OFF, "1", &err), 0);
	assert_int_equal(setns(ns, CLONE_NEWNET), 0);
	assert_int_equal(sb_put_at(AT_FDCWD, "/proc/sys/net/ipv6/conf/all/disable_ipv6", "1", &err),
			 0);
	assert_int_equal(setns(home, CLONE_NEWNET), 0);
	sb_net_plan(&bed_prefix, 7, &plan);
	bed_create(&plan, ns);
	assert_int_equal(sb_put_at(AT_FDCWD, IPV6_IS_OFF, "0", &err), 0);
	fd = bed_bind(ns, SOCK_STREAM, &plan.addr, PORT);
	assert_int_equal(bed_connect(-1, SOCK_STREAM, &plan.addr, PORT, SOON_MS), 0);
	close(fd);
	close(ns);
	close(home);
	sb_net_destroy(&plan);
}

static void nothing_is_left_after_destroy(void **state)
{
	struct sb_net_plan plan;
	int links = bed_count_links();
	int ns = bed_netns();

	(void)state;
	sb_net_plan(&bed_prefix, 9, &plan);
	bed_create(&plan, ns);
	assert_int_equal(bed_count_links(), links + 1);
	assert_int_equal(count_addresses(), 1);
	close(ns);
	sb_net_destroy(&plan);
	assert_int_equal(bed_count_links(), links);
	assert_int_equal(count_addresses(), 0);
	sb_net_destroy(&plan);
}

static void a_dismissed_attachment_is_cut_off(void **state)
{
	struct fixture *f = *state;
	int fd = bed_bind(f->ns_b, SOCK_STREAM, &f->b.addr, PORT);

	bed_net_dismiss(&f->b);
	assert_int_equal(count_addresses(), 1);
	bed_await_dismissal(&f->b.addr);
	assert_int_equal(bed_connect(-1, SOCK_STREAM, &f->b.addr, PORT, SOON_MS), ECONNREFUSED);
	bed_net_dismiss(&f->b);
	close(fd);
}

static void destroy_also_works_while_the_namespace_lives(void **state)
{
	struct sb_net_plan plan;
	int links = bed_count_links();
	int ns = bed_netns();

	(void)state;
	sb_net_plan(&bed_prefix, 9, &plan);
	bed_create(&plan, ns);
	sb_net_destroy(&plan);
	assert_int_equal(bed_count_links(), links);
	bed_create(&plan, ns); /* and the same can be made again at once */
	close(ns);
	sb_net_destroy(&plan);
}

static void a_taken_address_is_refused_and_nothing_left(void **state)
{
	struct fixture *f = *state;
	struct sb_net_plan other = f->a;
	struct sb_err err = SB_ERR_INIT;
	int links = bed_count_links();
	int ns = bed_netns();

	strcpy(other.host_if, "sbother");
	assert_int_equal(bed_net_create(&other, ns, &err), -EEXIST);
	assert_non_null(strstr(err.msg, "address 'fd5b:102:304:1::a' is taken"));
	assert_int_equal(bed_count_links(), links);
	assert_int_equal(count_addresses(), 2);
	close(ns);
}

static void a_taken_name_is_refused_and_its_owner_unharmed(void **state)
{
	struct fixture *f = *state;
	struct sb_net_plan other = f->a;
	struct sb_err err = SB_ERR_INIT;
	int ns = bed_netns();
	int fd = bed_bind(f->ns_a, SOCK_STREAM, &f->a.addr, PORT);

	other.addr.s6_addr[15] ^= 1;
	assert_int_equal(bed_net_create(&other, ns, &err), -EEXIST);
	assert_non_null(strstr(err.msg, f->a.host_if));
	assert_int_equal(bed_connect(-1, SOCK_STREAM, &f->a.addr, PORT, SOON_MS), 0);
	close(fd);
	close(ns);
}

static void a_namespace_that_is_attached_already_is_refused(void **state)
{
	struct fixture *f = *state;
	struct sb_net_plan other;
	struct sb_err err = SB_ERR_INIT;
	int links = bed_count_links();

	sb_net_plan(&bed_prefix, 12, &other);
	assert_int_equal(bed_net_create(&other, f->ns_a, &err), -EEXIST);
	assert_int_equal(bed_count_links(), links);
	assert_int_equal(count_addresses(), 2);
}

static void what_is_no_namespace_is_refused_and_nothing_left(void **state)
{
	struct sb_net_plan plan;
	struct sb_err err = SB_ERR_INIT;
	int links = bed_count_links();
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);

	(void)state;
	sb_net_plan(&bed_prefix, 12, &plan);
	assert_int_equal(bed_net_create(&plan, null, &err), -EINVAL);
	assert_non_null(strstr(err.msg, "network namespace"));
	assert_int_equal(bed_count_links(), links);
	close(null);
}

static void twenty_can_be_made_at_once(void **state)
{
	int links = bed_count_links();

	(void)state;
	for (uint64_t i = 0; i < 20; i++) {
		pid_t pid = fork();

		assert_true(pid >= 0);
		if (pid == 0) {
			struct sb_err err = SB_ERR_INIT;
			struct sb_net_plan plan;
			int ns = bed_netns();

			sb_net_plan(&bed_prefix, 100 + i, &plan);
			if (bed_net_create(&plan, ns, &err) < 0) {
				fprintf(stderr, "%s\n", err.msg);
				_exit(1);
			}
			(void)bed_bind(ns, SOCK_STREAM, &plan.addr, PORT);
			_exit(bed_connect(-1, SOCK_STREAM, &plan.addr, PORT, 900));
		}
	}
	for (int i = 0; i < 20; i++) {
		int status;

		assert_true(wait(&status) > 0);
		assert_int_equal(status, 0);
	}
	for (uint64_t i = 0; i < 20; i++) {
		struct sb_net_plan plan;

		sb_net_plan(&bed_prefix, 100 + i, &plan);
		sb_net_destroy(&plan);
	}
	assert_int_equal(bed_count_links(), links);
}

#define WITH_TWO(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_first_connection_from_the_host_succeeds_at_once),
		cmocka_unit_test(on_a_fresh_host_the_first_connection_succeeds_too),
		WITH_TWO(a_server_on_the_unspecified_address_is_reached),
		WITH_TWO(a_closed_port_is_refused_at_once),
		WITH_TWO(the_host_speaks_from_the_gateway_address),
		WITH_TWO(a_sandbox_cannot_call_the_host),
		WITH_TWO(a_sandbox_cannot_call_another_one),
		WITH_TWO(a_forwarding_host_does_not_connect_sandboxes_either),
		WITH_TWO(a_forwarding_host_lets_nobody_else_call_a_sandbox),
		WITH_TWO(interfaces_that_are_not_ours_are_left_alone),
		WITH_TWO(a_sandbox_is_refused_fast_by_the_rest_of_the_world),
		WITH_TWO(a_stolen_source_address_is_dropped),
		WITH_TWO(an_address_that_the_firewall_does_not_know_is_cut_off),
		WITH_TWO(an_unknown_source_address_is_dropped_in_an_open_exchange),
		WITH_TWO(inside_ipv4_is_loopback_only),
		WITH_TWO(the_default_route_has_the_mtu_of_the_world),
		WITH_TWO(everybody_inside_may_ping_and_use_low_ports),
		WITH_TWO(the_host_end_takes_no_router_advertisements),
		WITH_TWO(there_are_no_link_local_addresses_on_either_end),
		cmocka_unit_test(it_works_on_a_host_whose_default_is_without_ipv6),
		cmocka_unit_test(nothing_is_left_after_destroy),
		WITH_TWO(a_dismissed_attachment_is_cut_off),
		cmocka_unit_test(destroy_also_works_while_the_namespace_lives),
		WITH_TWO(a_taken_address_is_refused_and_nothing_left),
		WITH_TWO(a_taken_name_is_refused_and_its_owner_unharmed),
		WITH_TWO(a_namespace_that_is_attached_already_is_refused),
		cmocka_unit_test(what_is_no_namespace_is_refused_and_nothing_left),
		cmocka_unit_test(twenty_can_be_made_at_once),
	};

	return cmocka_run_group_tests(tests, bed_host, NULL);
}
