/* SPDX-License-Identifier: Apache-2.0 */
/* test_net_firewall.c - the firewall's table: installed once, by any number, losing nothing */
#include "net/firewall.h"

#include "tests/unit/net_bed.h"

#include <signal.h>
#include <stdbool.h>
#include <sys/mount.h>
#include <sys/utsname.h>

static const struct in6_addr one = { .s6_addr = { 0xfd, [15] = 1 } };
static const struct in6_addr two = { .s6_addr = { 0xfd, [15] = 2 } };

static int down(void **state)
{
	struct sb_err err = SB_ERR_INIT;
	struct sb_nl nl = SB_NL_INIT;
	int ret;

	(void)state;
	ret = sb_firewall_open(&nl, &err);
	if (ret == 0)
		ret = sb_firewall_down(&nl, &err);
	sb_nl_close(&nl);
	sb_net_host_down(&bed_prefix);
	return ret;
}

static void up(void)
{
	struct sb_err err = SB_ERR_INIT;
	char text[512];

	if (sb_net_host_up(&bed_prefix, &err) < 0)
		fail_msg("%s", sb_err_text(&err, text, sizeof(text)));
}

/* Run a command of the nft program; its exit status. */
static int nft(const char *command)
{
	const char *const argv[] = { "/usr/sbin/nft", command, NULL };
	char out[4096];

	return bed_run(out, sizeof(out), argv);
}

/* How often @text occurs in what a command of the nft program writes. */
static int nft_says(const char *command, const char *text)
{
	const char *const argv[] = { "/usr/sbin/nft", command, NULL };
	char out[4096];
	int n = 0;

	assert_int_equal(bed_run(out, sizeof(out), argv), 0);
	for (const char *p = out; (p = strstr(p, text)); p++)
		n++;
	return n;
}

static int note(const struct in6_addr *addr, void *arg)
{
	char *seen = arg;

	seen[addr->s6_addr[15]]++;
	return 0;
}

static int stop(const struct in6_addr *addr, void *arg)
{
	(void)addr;
	++*(int *)arg;
	return 42;
}

static void host_up_gives_the_host_its_address_and_the_table(void **state)
{
	struct sb_net_plan plan;
	int fd;

	(void)state;
	sb_net_plan(&bed_prefix, 1, &plan);
	up();
	assert_int_equal(nft("list table inet sbrun"), 0);
	fd = bed_bind(-1, SOCK_STREAM, &plan.gateway, 8080);
	assert_int_equal(bed_connect(-1, SOCK_STREAM, &plan.gateway, 8080, 200), 0);
	close(fd);
}

static void host_up_and_down_may_be_repeated(void **state)
{
	(void)state;
	up();
	up();
	assert_int_equal(nft("list table inet sbrun"), 0);
	sb_net_host_down(&bed_prefix);
	sb_net_host_down(&bed_prefix);
	assert_int_not_equal(nft("list table inet sbrun"), 0);
}

static void host_down_leaves_nothing(void **state)
{
	struct sb_net_plan plan;

	(void)state;
	sb_net_plan(&bed_prefix, 1, &plan);
	up();
	sb_net_host_down(&bed_prefix);
	assert_int_not_equal(nft("list table inet sbrun"), 0);
	assert_int_equal(bed_connect(-1, SOCK_STREAM, &plan.gateway, 8080, 200), ENETUNREACH);
}

static void the_firewall_stays_while_somebody_has_an_address(void **state)
{
	struct sb_err err = SB_ERR_INIT;
	struct sb_nl nl = SB_NL_INIT;

	(void)state;
	up();
	assert_int_equal(sb_firewall_open(&nl, &err), 0);
	assert_int_equal(sb_firewall_admit(&nl, &one, &err), 0);
	sb_net_host_down(&bed_prefix);
	assert_int_equal(nft("list table inet sbrun"), 0);
	assert_true(sb_firewall_dismiss(&nl, &one, &err) >= 0);
	sb_net_host_down(&bed_prefix);
	assert_int_not_equal(nft("list table inet sbrun"), 0);
	sb_nl_close(&nl);
}

static void twenty_processes_may_install_it_at_once(void **state)
{
	(void)state;
	for (int i = 0; i < 20; i++) {
		pid_t pid = fork();

		assert_true(pid >= 0);
		if (pid == 0) {
			struct sb_err err = SB_ERR_INIT;

			if (sb_net_host_up(&bed_prefix, &err) == 0)
				_exit(0);
			fprintf(stderr, "%s\n", err.msg);
			_exit(1);
		}
	}
	for (int i = 0; i < 20; i++) {
		int status;

		assert_true(wait(&status) > 0);
		assert_int_equal(status, 0);
	}
	assert_int_equal(nft("list chain inet sbrun from_sandbox"), 0);
}

static void another_policy_is_replaced_and_no_address_lost(void **state)
{
	struct sb_err err = SB_ERR_INIT;
	char seen[256] = { 0 };

	(void)state;
	up();
	assert_int_equal(bed_admit(&one), 0);
	assert_int_equal(nft("flush chain inet sbrun source; flush set inet sbrun installed; "
			     "add element inet sbrun installed { 0x1 }; "
			     "add set inet sbrun other { type ipv6_addr; }"),
			 0);
	up();
	assert_int_equal(sb_net_for_each_address(note, seen, &err), 0);
	assert_int_equal(seen[1], 1);
	assert_int_equal(nft_says("list chain inet sbrun source", "fib saddr"), 1);
	assert_int_equal(nft_says("list set inet sbrun installed", "0x00000001"), 0);
}

static void rules_are_not_doubled_by_a_second_install(void **state)
{
	(void)state;
	up();
	assert_int_equal(nft("flush set inet sbrun installed"), 0);
	up();
	assert_int_equal(nft_says("list chain inet sbrun source", "fib saddr"), 1);
}

static void create_installs_the_firewall_when_it_is_missing(void **state)
{
	struct sb_net_plan plan;
	int ns = bed_netns();
	int fd;

	(void)state;
	assert_int_not_equal(nft("list table inet sbrun"), 0);
	sb_net_plan(&bed_prefix, 5, &plan);
	bed_create(&plan, ns);
	assert_int_equal(nft("list table inet sbrun"), 0);
	fd = bed_bind(-1, SOCK_STREAM, &plan.gateway, 8080);
	assert_int_equal(bed_connect(ns, SOCK_STREAM, &plan.gateway, 8080, 200), ECONNREFUSED);
	close(fd);
	close(ns);
	sb_net_destroy(&plan);
}

static void create_replaces_another_policy(void **state)
{
	struct sb_net_plan plan;
	int ns = bed_netns();

	(void)state;
	up();
	assert_int_equal(nft("flush chain inet sbrun source; flush set inet sbrun installed"), 0);
	sb_net_plan(&bed_prefix, 5, &plan);
	bed_create(&plan, ns);
	assert_int_equal(nft_says("list chain inet sbrun source", "fib saddr"), 1);
	close(ns);
	sb_net_destroy(&plan);
}

static void admitted_addresses_are_listed_until_dismissed(void **state)
{
	struct sb_err err = SB_ERR_INIT;
	char seen[256] = { 0 };

	(void)state;
	up();
	assert_int_equal(bed_admit(&one), 0);
	assert_int_equal(bed_admit(&two), 0);
	assert_int_equal(bed_admit(&two), 0);
	assert_int_equal(sb_net_for_each_address(note, seen, &err), 0);
	assert_int_equal(seen[1], 1);
	assert_int_equal(seen[2], 1);
	assert_true(bed_dismiss(&one) >= 0);
	assert_true(bed_dismiss(&one) >= 0);
	memset(seen, 0, sizeof(seen));
	assert_int_equal(sb_net_for_each_address(note, seen, &err), 0);
	assert_int_equal(seen[1], 0);
	assert_int_equal(seen[2], 1);
}

/* Linux 6.12 and later can let an element that is there expire. */
static bool can_expire(void)
{
	struct utsname u;
	int major = 0, minor = 0;

	assert_int_equal(uname(&u), 0);
	assert_int_equal(sscanf(u.release, "%d.%d", &major, &minor), 2);
	return major > 6 || (major == 6 && minor >= 12);
}

static void a_dismissed_address_ends_and_may_come_again(void **state)
{
	(void)state;
	up();
	assert_int_equal(bed_dismiss(&one), 0);
	assert_int_not_equal(nft("get element inet sbrun addresses { fd00::1 }"), 0);
	assert_int_equal(bed_admit(&one), 0);
	assert_int_equal(bed_dismiss(&one), can_expire() ? 0 : 1);
	assert_int_equal(bed_admit(&one), 0); /* before the tick is over */
	assert_int_equal(nft_says("get element inet sbrun addresses { fd00::1 }", "expires"), 0);
	assert_true(bed_dismiss(&one) >= 0);
	bed_await_dismissal(&one);
	assert_int_equal(bed_admit(&one), 0);
	assert_int_equal(nft_says("get element inet sbrun addresses { fd00::1 }", "expires"), 0);
}

/* Like a kernel before Linux 6.12, which leaves the element as it is. */
static void where_an_element_cannot_expire_it_is_deleted(void **state)
{
	(void)state;
	assert_int_equal(
		nft("add table inet sbrun; add set inet sbrun addresses { type ipv6_addr; }"), 0);
	assert_int_equal(bed_admit(&one), 0);
	assert_int_equal(nft("get element inet sbrun addresses { fd00::1 }"), 0);
	assert_int_equal(bed_dismiss(&one), 1);
	assert_int_not_equal(nft("get element inet sbrun addresses { fd00::1 }"), 0);
}

static void thousands_of_addresses_are_listed_completely(void **state)
{
	struct sb_err err = SB_ERR_INIT;
	_cleanup_nl_ struct sb_nl nl = SB_NL_INIT;
	struct in6_addr *list;
	size_t n;

	(void)state;
	up();
	for (unsigned int i = 0; i < 3000; i++) {
		struct in6_addr a = { .s6_addr = {
					      0xfd, [14] = (uint8_t)(i >> 8), [15] = (uint8_t)i } };

		assert_int_equal(bed_admit(&a), 0);
	}
	assert_int_equal(sb_firewall_open(&nl, &err), 0);
	assert_int_equal(sb_firewall_list(&nl, &list, &n, &err), 0);
	assert_int_equal(n, 3000);
	free(list);
}

static void the_walk_ends_when_the_visitor_says_so(void **state)
{
	struct sb_err err = SB_ERR_INIT;
	int calls = 0;

	(void)state;
	up();
	assert_int_equal(bed_admit(&one), 0);
	assert_int_equal(bed_admit(&two), 0);
	assert_int_equal(sb_net_for_each_address(stop, &calls, &err), 42);
	assert_int_equal(calls, 1);
}

static void without_the_table_there_are_no_addresses(void **state)
{
	struct sb_err err = SB_ERR_INIT;
	char seen[256] = { 0 };

	(void)state;
	assert_int_equal(sb_net_for_each_address(note, seen, &err), 0);
	assert_true(bed_dismiss(&one) >= 0);
	assert_int_equal(bed_admit(&one), -ENOENT);
}

/* Run sb_net_host_up() where @over is mounted on @path; 0 if it fails with @code and @words. */
static int up_with_mount(const char *over, const char *path, int code, const char *words)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		struct sb_err err = SB_ERR_INIT;
		char text[512];

		if (unshare(CLONE_NEWNS) < 0 ||
		    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
		    (over ? mount(over, path, NULL, MS_BIND, NULL)
			  : mount("none", path, "tmpfs", 0, NULL)) < 0)
			_exit(2);
		if (sb_net_host_up(&bed_prefix, &err) != -code)
			_exit(3);
		_exit(strstr(sb_err_text(&err, text, sizeof(text)), words) ? 0 : 4);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static void without_the_nft_program_the_error_says_what_to_install(void **state)
{
	(void)state;
	assert_int_equal(up_with_mount(NULL, "/usr/sbin", ENOENT, "nftables package"), 0);
}

static void a_failure_of_the_nft_program_is_told(void **state)
{
	(void)state;
	assert_int_equal(up_with_mount("/usr/bin/false", "/usr/sbin/nft", EPROTO, "status 0x100"),
			 0);
	assert_int_equal(up_with_mount("/usr/bin/cat", "/usr/sbin/nft", EPROTO, "nft says '"), 0);
}

static void a_caller_that_ignores_its_children_is_served_too(void **state)
{
	(void)state;
	assert_ptr_not_equal(signal(SIGCHLD, SIG_IGN), SIG_ERR);
	up();
	assert_ptr_not_equal(signal(SIGCHLD, SIG_DFL), SIG_ERR);
	assert_int_equal(nft("list table inet sbrun"), 0);
}

static void without_privileges_the_kernel_says_no(void **state)
{
	pid_t pid = fork();
	int status;

	(void)state;
	if (pid == 0) {
		struct sb_err err = SB_ERR_INIT;

		if (setuid(65534) < 0)
			_exit(1);
		_exit(sb_net_host_up(&bed_prefix, &err) != -EPERM);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

#define THEN_DOWN(test) cmocka_unit_test_teardown(test, down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		THEN_DOWN(host_up_gives_the_host_its_address_and_the_table),
		THEN_DOWN(host_up_and_down_may_be_repeated),
		THEN_DOWN(host_down_leaves_nothing),
		THEN_DOWN(the_firewall_stays_while_somebody_has_an_address),
		THEN_DOWN(twenty_processes_may_install_it_at_once),
		THEN_DOWN(another_policy_is_replaced_and_no_address_lost),
		THEN_DOWN(rules_are_not_doubled_by_a_second_install),
		THEN_DOWN(create_installs_the_firewall_when_it_is_missing),
		THEN_DOWN(create_replaces_another_policy),
		THEN_DOWN(admitted_addresses_are_listed_until_dismissed),
		THEN_DOWN(a_dismissed_address_ends_and_may_come_again),
		THEN_DOWN(where_an_element_cannot_expire_it_is_deleted),
		THEN_DOWN(thousands_of_addresses_are_listed_completely),
		THEN_DOWN(the_walk_ends_when_the_visitor_says_so),
		THEN_DOWN(without_the_table_there_are_no_addresses),
		THEN_DOWN(without_the_nft_program_the_error_says_what_to_install),
		THEN_DOWN(a_failure_of_the_nft_program_is_told),
		THEN_DOWN(a_caller_that_ignores_its_children_is_served_too),
		THEN_DOWN(without_privileges_the_kernel_says_no),
	};

	return cmocka_run_group_tests(tests, bed_host, NULL);
}
