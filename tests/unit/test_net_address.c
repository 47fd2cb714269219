/* SPDX-License-Identifier: Apache-2.0 */
/* test_net_address.c - the address plan and the prefix of the host */
#include "net/net.h"

#include "tests/unit/unit.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "runtime/base/err.h"

static struct in6_addr parse(const char *text)
{
	struct in6_addr a;

	assert_int_equal(inet_pton(AF_INET6, text, &a), 1);
	return a;
}

static void a_plan_is_computed_from_prefix_and_id(void **state)
{
	struct in6_addr prefix = parse("fd12:3456:789a::");
	struct in6_addr addr = parse("fd12:3456:789a:1:123:4567:89ab:cdef");
	struct in6_addr gateway = parse("fd12:3456:789a::1");
	struct sb_net_plan plan;

	(void)state;
	sb_net_plan(&prefix, UINT64_C(0x0123456789abcdef), &plan);
	assert_memory_equal(&plan.addr, &addr, sizeof(addr));
	assert_memory_equal(&plan.gateway, &gateway, sizeof(gateway));
	assert_string_equal(plan.host_if, "sb00mf9g063v08f");
}

static void interface_names_are_unique_and_fit(void **state)
{
	struct in6_addr prefix = parse("fd12:3456:789a::");
	struct sb_net_plan a, b;

	(void)state;
	sb_net_plan(&prefix, UINT64_MAX, &a);
	sb_net_plan(&prefix, UINT64_MAX - 1, &b);
	assert_int_equal(strlen(a.host_if), SB_NET_IF_LEN - 1);
	assert_string_equal(a.host_if, "sb3w5e11264sgsf");
	assert_string_not_equal(a.host_if, b.host_if);
	sb_net_plan(&prefix, 1, &a);
	assert_string_equal(a.host_if, "sb0000000000001");
}

static void reserved_interface_ids_are_not_usable(void **state)
{
	static const uint64_t reserved[] = {
		0,
		UINT64_C(0x02005efffe000000),
		UINT64_C(0x02005efffe005213),
		UINT64_C(0x02005efffeffffff),
		UINT64_C(0xfdffffffffffff80),
		UINT64_C(0xfdffffffffffffff),
		UINT64_C(0xffffffffffffff80),
		UINT64_MAX,
	};
	static const uint64_t usable[] = {
		1,
		UINT64_C(0x02005efffdffffff),
		UINT64_C(0x02005effff000000),
		UINT64_C(0xfdffffffffffff7f),
		UINT64_C(0xfe00000000000000),
		UINT64_C(0xffffffffffffff7f),
	};

	(void)state;
	for (size_t i = 0; i < sizeof(reserved) / sizeof(reserved[0]); i++)
		assert_false(sb_net_id_is_usable(reserved[i]));
	for (size_t i = 0; i < sizeof(usable) / sizeof(usable[0]); i++)
		assert_true(sb_net_id_is_usable(usable[i]));
}

static void the_prefix_is_drawn_once_and_kept(void **state)
{
	struct unit_dir *f = *state;
	struct in6_addr a, b;
	struct sb_err err = SB_ERR_INIT;
	struct stat st;

	assert_int_equal(sb_net_prefix(f->dir, &a, &err), 0);
	assert_int_equal(err.code, 0);
	assert_int_equal(a.s6_addr[0], 0xfd);
	for (int i = 6; i < 16; i++)
		assert_int_equal(a.s6_addr[i], 0);
	assert_int_equal(sb_net_prefix(f->dir, &b, &err), 0);
	assert_memory_equal(&a, &b, sizeof(a));
	assert_int_equal(fstatat(f->dir, "prefix", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
}

static void two_hosts_draw_different_prefixes(void **state)
{
	struct unit_dir *f = *state;
	struct sb_err err = SB_ERR_INIT;
	struct in6_addr a, b;

	assert_int_equal(sb_net_prefix(f->dir, &a, &err), 0);
	assert_int_equal(unlinkat(f->dir, "prefix", 0), 0);
	assert_int_equal(sb_net_prefix(f->dir, &b, &err), 0);
	assert_memory_not_equal(&a, &b, sizeof(a));
}

static void a_prefix_written_by_hand_is_used(void **state)
{
	struct unit_dir *f = *state;
	struct in6_addr want = parse("fdab:cdef:1::");
	struct sb_err err = SB_ERR_INIT;
	struct in6_addr a;

	unit_write(f->dir, "prefix", "fdab:cdef:0001::/48");
	assert_int_equal(sb_net_prefix(f->dir, &a, &err), 0);
	assert_memory_equal(&a, &want, sizeof(a));
}

static void a_malformed_prefix_is_a_clear_error(void **state)
{
	static const char *const bad[] = {
		"",
		"\n",
		"fd00::",
		"fd00::/64",
		"fd00::/048",
		"fd00::/48 ",
		"fd00::/48\n\n",
		"fd00:0:0:1::/48",
		"fd00::1/48",
		"fc00::/48",
		"2001:db8::/48",
		"10.0.0.0/48",
		"nonsense/48",
		"/48",
		"fd00:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000::/48",
	};
	struct unit_dir *f = *state;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct sb_err err = SB_ERR_INIT;
		struct in6_addr a = { .s6_addr = { 7 } };

		unit_write(f->dir, "prefix", bad[i]);
		assert_true(sb_net_prefix(f->dir, &a, &err) < 0);
		assert_non_null(strstr(err.msg, "'prefix'"));
		assert_int_not_equal(err.hint[0], '\0');
		assert_int_equal(a.s6_addr[0], 7);
		assert_int_equal(unlinkat(f->dir, "prefix", 0), 0);
	}
}

static void racing_processes_get_one_prefix_and_leave_no_other_file(void **state)
{
	struct unit_dir *f = *state;
	struct in6_addr first = { 0 };
	int out[2], entries = 0;
	DIR *dir;

	assert_int_equal(pipe(out), 0);
	for (int i = 0; i < 20; i++) {
		pid_t pid = fork();

		assert_true(pid >= 0);
		if (pid == 0) {
			struct in6_addr a = { 0 };
			struct sb_err err = SB_ERR_INIT;

			(void)sb_net_prefix(f->dir, &a, &err);
			_exit(write(out[1], &a, sizeof(a)) != sizeof(a));
		}
	}
	for (int i = 0; i < 20; i++) {
		struct in6_addr a;

		assert_int_equal(read(out[0], &a, sizeof(a)), sizeof(a));
		assert_int_equal(a.s6_addr[0], 0xfd);
		if (i == 0)
			first = a;
		assert_memory_equal(&a, &first, sizeof(a));
	}
	for (int i = 0; i < 20; i++)
		assert_true(wait(NULL) > 0);
	close(out[0]);
	close(out[1]);
	dir = opendir(f->path);
	assert_non_null(dir);
	while (readdir(dir))
		entries++;
	closedir(dir);
	assert_int_equal(entries, 3); /* ".", ".." and "prefix" */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_plan_is_computed_from_prefix_and_id),
		cmocka_unit_test(interface_names_are_unique_and_fit),
		cmocka_unit_test(reserved_interface_ids_are_not_usable),
		UNIT_IN_DIR(the_prefix_is_drawn_once_and_kept),
		UNIT_IN_DIR(two_hosts_draw_different_prefixes),
		UNIT_IN_DIR(a_prefix_written_by_hand_is_used),
		UNIT_IN_DIR(a_malformed_prefix_is_a_clear_error),
		UNIT_IN_DIR(racing_processes_get_one_prefix_and_leave_no_other_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
