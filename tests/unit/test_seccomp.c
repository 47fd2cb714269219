/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_seccomp.c - the default filter: what it answers, by interpreting it, and what the kernel
 * does
 *
 * Tests of single promises use the numbers of the system headers; only every_number_… compares with
 * the profile's own data.
 */
#include "tests/unit/unit.h"

#include <signal.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/sched.h>
#include <linux/seccomp.h>

#include "runtime/base/cleanup.h"
#include "runtime/container/seccomp.h"
#include "runtime/container/seccomp_profile.h"

#define ERRNO(e) (SECCOMP_RET_ERRNO | (e))
#define ALLOW    SECCOMP_RET_ALLOW
#define KILL     SECCOMP_RET_KILL_PROCESS

#if defined(__x86_64__)
#define NATIVE AUDIT_ARCH_X86_64
#else
#define NATIVE AUDIT_ARCH_AARCH64
#endif

static const struct sock_filter x86_64_insns[] = {
#include "seccomp_default_x86_64.inc"
};
static const struct sock_filter aarch64_insns[] = {
#include "seccomp_default_aarch64.inc"
};

static const struct program {
	uint32_t arch;
	const struct sock_filter *insns;
	size_t n;
} programs[] = {
	{ AUDIT_ARCH_X86_64, x86_64_insns, SB_ARRAY_SIZE(x86_64_insns) },
	{ AUDIT_ARCH_AARCH64, aarch64_insns, SB_ARRAY_SIZE(aarch64_insns) },
};

/* Run the filter on @data: the part of classic BPF that it may use, with every access checked. */
static uint32_t interpret(const struct sock_filter *insns, size_t n,
			  const struct seccomp_data *data)
{
	uint32_t a = 0;

	for (size_t pc = 0; pc < n; pc++) {
		const struct sock_filter *f = &insns[pc];
		bool is_true = false;

		switch (f->code) {
		case BPF_LD | BPF_W | BPF_ABS:
			assert_true(f->k % 4 == 0 && f->k + 4 <= sizeof(*data));
			memcpy(&a, (const char *)data + f->k, 4);
			continue;
		case BPF_JMP | BPF_JA:
			pc += f->k;
			continue;
		case BPF_JMP | BPF_JEQ | BPF_K:
			is_true = a == f->k;
			break;
		case BPF_JMP | BPF_JGE | BPF_K:
			is_true = a >= f->k;
			break;
		case BPF_JMP | BPF_JSET | BPF_K:
			is_true = a & f->k;
			break;
		case BPF_RET | BPF_K:
			return f->k;
		default:
			fail_msg("instruction %zu has the unexpected code %#x", pc, f->code);
		}
		pc += is_true ? f->jt : f->jf;
	}
	fail_msg("the program runs off its end");
	return 0;
}

static uint32_t answer(uint32_t nr, uint64_t a0, uint64_t a1, uint64_t a2)
{
	struct seccomp_data d = { .nr = (int)nr, .arch = NATIVE, .args = { a0, a1, a2 } };

	return interpret(sb_seccomp_default_insns(), sb_seccomp_default_len(), &d);
}

static void other_abis_are_killed(void **state)
{
	static const uint32_t others[] = {
		AUDIT_ARCH_I386, AUDIT_ARCH_ARM, AUDIT_ARCH_X86_64, AUDIT_ARCH_AARCH64, 0,
		UINT32_MAX
	};

	(void)state;
	for (size_t p = 0; p < SB_ARRAY_SIZE(programs); p++) {
		for (size_t i = 0; i < SB_ARRAY_SIZE(others); i++) {
			struct seccomp_data d = { .arch = others[i] };

			if (others[i] == programs[p].arch)
				continue;
			for (d.nr = 0; d.nr < 600; d.nr++)
				assert_int_equal(interpret(programs[p].insns, programs[p].n, &d),
						 KILL);
		}
	}
}

static void x32_calls_are_killed(void **state)
{
	struct seccomp_data d = { .arch = AUDIT_ARCH_X86_64 };

	(void)state;
	for (uint32_t nr = 0; nr < 600; nr++) {
		d.nr = (int)(0x40000000U + nr);
		assert_int_equal(interpret(x86_64_insns, SB_ARRAY_SIZE(x86_64_insns), &d), KILL);
	}
}

/* A tracer sets the number to -1 to skip a call; the filter sees that since Linux 4.8. */
static void a_skipped_call_does_not_kill(void **state)
{
	(void)state;
	assert_int_equal(answer(UINT32_MAX, 0, 0, 0), ERRNO(ENOSYS));
}

/* T33, CVE-2021-41133. */
static void unknown_numbers_are_enosys(void **state)
{
	(void)state;
	for (uint32_t nr = 463; nr < 0x8000; nr++)
		assert_int_equal(answer(nr, 0, 0, 0), ERRNO(ENOSYS));
	assert_int_equal(answer(0x3fffffff, 0, 0, 0), ERRNO(ENOSYS));
	for (uint32_t nr = 337; nr < 424; nr++) /* the gap, on both architectures */
		assert_int_equal(answer(nr, 0, 0, 0), ERRNO(ENOSYS));
}

static bool holds(const struct sb_seccomp_cond *c, const struct seccomp_data *d)
{
	uint32_t arg = (uint32_t)d->args[c->arg];

	for (size_t i = 0; i < c->n; i++)
		if (c->bits ? (arg & c->values[i]) != 0 : arg == c->values[i])
			return true;
	return c->n == 0;
}

/* What the profile's data says about one call. */
static uint32_t promised(enum sb_seccomp_rule rule, const struct seccomp_data *d)
{
	if (rule == SB_RULE_ALLOW)
		return ALLOW;
	if (rule == SB_RULE_EPERM)
		return ERRNO(EPERM);
	for (size_t i = 0; i < sb_seccomp_n_checks; i++) {
		const struct sb_seccomp_check *c = &sb_seccomp_checks[i];

		if (c->rule == rule && holds(&c->first, d) && holds(&c->second, d))
			return c->ret;
	}
	return ERRNO(ENOSYS);
}

static void fill_rules(uint32_t arch, enum sb_seccomp_rule *rules)
{
	for (size_t i = 0; i < sb_seccomp_n_groups; i++) {
		_cleanup_free_ char *names = strdup(sb_seccomp_groups[i].names);
		char *rest = names, *name;

		while ((name = strsep(&rest, " "))) {
			int nr = sb_seccomp_number(arch, name);

			if (nr >= 0)
				rules[nr] = sb_seccomp_groups[i].rule;
		}
	}
}

/* Every value that any condition names, and its neighbours, in every argument looked at. */
static void every_number_does_what_the_profile_says(void **state)
{
	enum sb_seccomp_rule rules[1024];
	uint64_t values[256];
	size_t n = 0;

	(void)state;
	for (size_t i = 0; i < sb_seccomp_n_checks; i++) {
		const struct sb_seccomp_check *c = &sb_seccomp_checks[i];

		for (size_t v = 0; v < 6 && n + 8 < SB_ARRAY_SIZE(values); v++) {
			values[n++] = c->first.values[v] | 0xdead00000000ULL;
			values[n++] = (uint64_t)c->first.values[v] + 1;
			values[n++] = c->second.values[v];
			values[n++] = (uint64_t)c->second.values[v] << 32;
		}
	}
	for (size_t p = 0; p < SB_ARRAY_SIZE(programs); p++) {
		struct seccomp_data d = { .arch = programs[p].arch };

		memset(rules, 0, sizeof(rules)); /* SB_RULE_ENOSYS */
		fill_rules(d.arch, rules);
		for (d.nr = 0; d.nr < 1024; d.nr++) {
			for (size_t i = 0; i < n * n; i++) {
				d.args[0] = values[i % n];
				d.args[1] = values[(i + 1) % n];
				d.args[2] = values[i / n];
				assert_int_equal(interpret(programs[p].insns, programs[p].n, &d),
						 promised(rules[d.nr], &d));
				if (rules[d.nr] < SB_RULE_CLONE)
					break; /* arguments do not count */
			}
		}
	}
}

static void ordinary_calls_are_allowed(void **state)
{
	static const uint16_t calls[] = {
		SYS_read,
		SYS_write,
		SYS_openat,
		SYS_close,
		SYS_mmap,
		SYS_execve,
		SYS_execveat,
		SYS_exit_group,
		SYS_futex,
		SYS_wait4,
		SYS_waitid,
		SYS_getrandom,
		SYS_rseq,
		SYS_statx,
		SYS_pipe2,
		SYS_epoll_pwait,
		SYS_bind,
		SYS_listen,
		SYS_accept4,
		SYS_connect,
		SYS_sendmmsg,
		SYS_close_range,
		SYS_faccessat2,
		SYS_openat2,
		SYS_memfd_create,
		SYS_chroot,
		SYS_mknodat,
		SYS_setgroups,
		SYS_setresuid,
		SYS_ptrace,
		SYS_inotify_init1,
		SYS_membarrier,
		SYS_landlock_create_ruleset,
		SYS_copy_file_range,
		SYS_rt_sigtimedwait,
		SYS_kill,
		SYS_pidfd_open,
		SYS_prlimit64,
		SYS_seccomp,
	};

	(void)state;
	for (size_t i = 0; i < SB_ARRAY_SIZE(calls); i++)
		if (answer(calls[i], 0, 0, 0) != ALLOW)
			fail_msg("call %u is not allowed", calls[i]);
}

static void only_four_socket_families(void **state)
{
	static const uint32_t calls[] = { SYS_socket, SYS_socketpair };

	(void)state;
	for (size_t c = 0; c < 2; c++) {
		for (uint64_t family = 0; family < 200; family++) {
			uint32_t want = ERRNO(EAFNOSUPPORT);

			if (family == AF_UNIX || family == AF_INET || family == AF_INET6 ||
			    family == AF_NETLINK)
				want = ALLOW;
			assert_int_equal(answer(calls[c], family, SOCK_STREAM, 0), want);
			/* The kernel takes an int: the high half must not make a difference. */
			assert_int_equal(answer(calls[c], family | 1ULL << 40, SOCK_STREAM, 0),
					 want);
		}
	}
}

static void netlink_is_for_routes_only(void **state)
{
	(void)state;
	assert_int_equal(answer(SYS_socket, AF_NETLINK, SOCK_RAW, 0), ALLOW);
	for (uint64_t protocol = 1; protocol < 64; protocol++)
		assert_int_equal(answer(SYS_socket, AF_NETLINK, SOCK_RAW, protocol),
				 ERRNO(EAFNOSUPPORT));
}

static void ip_sockets_are_tcp_udp_or_icmp(void **state)
{
	static const uint64_t yes[] = { 0, 6, 17, 1, 58, 262 };
	static const uint64_t no[] = { 2,  33 /* DCCP */, 115 /* L2TP */, 132 /* SCTP */, 136, 255,
				       256 /* SMC */ };

	(void)state;
	for (size_t i = 0; i < SB_ARRAY_SIZE(yes); i++)
		assert_int_equal(answer(SYS_socket, AF_INET6, SOCK_STREAM, yes[i]), ALLOW);
	for (size_t i = 0; i < SB_ARRAY_SIZE(no); i++)
		assert_int_equal(answer(SYS_socket, AF_INET6, SOCK_STREAM, no[i]),
				 ERRNO(EPROTONOSUPPORT));
}

static void new_namespaces_are_refused(void **state)
{
	static const uint64_t flags[] = {
		CLONE_NEWNS,   CLONE_NEWCGROUP, CLONE_NEWUTS, CLONE_NEWIPC,
		CLONE_NEWUSER, CLONE_NEWPID,    CLONE_NEWNET,
	};

	(void)state;
	for (size_t i = 0; i < SB_ARRAY_SIZE(flags); i++) {
		assert_int_equal(answer(SYS_clone, flags[i] | SIGCHLD, 0, 0), ERRNO(EPERM));
		assert_int_equal(answer(SYS_unshare, flags[i], 0, 0), ERRNO(EPERM));
	}
	assert_int_equal(answer(SYS_unshare, CLONE_NEWTIME, 0, 0), ERRNO(EPERM));
	assert_int_equal(answer(SYS_unshare, CLONE_FILES | CLONE_FS, 0, 0), ALLOW);
	assert_int_equal(answer(SYS_clone, SIGCHLD, 0, 0), ALLOW);
	assert_int_equal(answer(SYS_clone, 0x3d0f00, 0, 0), ALLOW); /* pthread_create(3) */
	assert_int_equal(answer(SYS_setns, 3, 0, 0), ERRNO(EPERM));
	assert_int_equal(answer(SYS_clone3, 0, 0, 0), ERRNO(ENOSYS));
}

/* CVE-2017-5226, CVE-2019-7303 (the high half of the argument): T32. */
static void typing_into_the_terminal_is_refused(void **state)
{
	static const uint64_t no[] = { 0x5412, 0x541c, 0x5423, 0x100005412, 0xffffffff00005412 };

	(void)state;
	for (size_t i = 0; i < SB_ARRAY_SIZE(no); i++)
		assert_int_equal(answer(SYS_ioctl, 0, no[i], 0), ERRNO(EPERM));
	assert_int_equal(answer(SYS_ioctl, 0, 0x5401, 0), ALLOW); /* TCGETS */
	assert_int_equal(answer(SYS_ioctl, 0, 0x5413, 0), ALLOW); /* TIOCGWINSZ */
	assert_int_equal(answer(SYS_ioctl, 0x5412, 0x5421, 0x5412), ALLOW);
}

static void kernel_tls_is_refused(void **state)
{
	(void)state;
	assert_int_equal(answer(SYS_setsockopt, 3, 6, 31), ERRNO(EPERM));
	assert_int_equal(answer(SYS_setsockopt, 3, 6 | 1ULL << 32, 31 | 1ULL << 32), ERRNO(EPERM));
	assert_int_equal(answer(SYS_setsockopt, 3, 6, 1), ALLOW); /* TCP_NODELAY */
	assert_int_equal(answer(SYS_setsockopt, 3, 1, 31), ALLOW);
	assert_int_equal(answer(SYS_setsockopt, 6, 31, 6), ALLOW);
}

static void only_five_personalities(void **state)
{
	static const uint64_t yes[] = { 0, 0x8, 0x20000, 0x20008, 0xffffffff };
	static const uint64_t no[] = { 0x0040000 /* no randomisation */, 0x0400000, 1, 0x20009 };

	(void)state;
	for (size_t i = 0; i < SB_ARRAY_SIZE(yes); i++)
		assert_int_equal(answer(SYS_personality, yes[i], 0, 0), ALLOW);
	for (size_t i = 0; i < SB_ARRAY_SIZE(no); i++)
		assert_int_equal(answer(SYS_personality, no[i], 0, 0), ERRNO(EPERM));
}

static void the_hosts_business_is_refused(void **state)
{
	static const uint16_t calls[] = {
		SYS_mount,
		SYS_umount2,
		SYS_pivot_root,
		SYS_fsopen,
		SYS_fsconfig,
		SYS_fsmount,
		SYS_open_tree,
		SYS_move_mount,
		SYS_mount_setattr,
		SYS_bpf,
		SYS_perf_event_open,
		SYS_userfaultfd,
		SYS_keyctl,
		SYS_add_key,
		SYS_request_key,
		SYS_kexec_load,
		SYS_init_module,
		SYS_finit_module,
		SYS_delete_module,
		SYS_swapon,
		SYS_swapoff,
		SYS_reboot,
		SYS_quotactl,
		SYS_quotactl_fd,
		SYS_acct,
		SYS_sethostname,
		SYS_setdomainname,
		SYS_settimeofday,
		SYS_clock_settime,
		SYS_syslog,
		SYS_pidfd_getfd,
		SYS_kcmp,
		SYS_open_by_handle_at,
		SYS_fanotify_init,
	};
	static const uint16_t absent[] = {
		SYS_io_uring_setup,      SYS_io_uring_enter,    SYS_io_uring_register,
		SYS_process_vm_readv,    SYS_process_vm_writev, 451 /* cachestat */,
		456 /* futex_requeue */, 457 /* statmount */,
	};

	(void)state;
	for (size_t i = 0; i < SB_ARRAY_SIZE(calls); i++)
		if (answer(calls[i], 0, 0, 0) != ERRNO(EPERM))
			fail_msg("call %u is not refused", calls[i]);
	for (size_t i = 0; i < SB_ARRAY_SIZE(absent); i++)
		if (answer(absent[i], 0, 0, 0) != ERRNO(ENOSYS))
			fail_msg("call %u is not absent", absent[i]);
}

static void the_program_is_short(void **state)
{
	(void)state;
	for (size_t p = 0; p < SB_ARRAY_SIZE(programs); p++)
		assert_true(programs[p].n < 250);
	printf("             %zu instructions\n", sb_seccomp_default_len());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(other_abis_are_killed),
		cmocka_unit_test(x32_calls_are_killed),
		cmocka_unit_test(a_skipped_call_does_not_kill),
		cmocka_unit_test(unknown_numbers_are_enosys),
		cmocka_unit_test(every_number_does_what_the_profile_says),
		cmocka_unit_test(ordinary_calls_are_allowed),
		cmocka_unit_test(only_four_socket_families),
		cmocka_unit_test(netlink_is_for_routes_only),
		cmocka_unit_test(ip_sockets_are_tcp_udp_or_icmp),
		cmocka_unit_test(new_namespaces_are_refused),
		cmocka_unit_test(typing_into_the_terminal_is_refused),
		cmocka_unit_test(kernel_tls_is_refused),
		cmocka_unit_test(only_five_personalities),
		cmocka_unit_test(the_hosts_business_is_refused),
		cmocka_unit_test(the_program_is_short),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
