/* SPDX-License-Identifier: Apache-2.0 */
/*
 * firewall.c - the host's nftables table for sandboxes
 *
 * The rules are in sbrun.nft and never depend on a sandbox; what is allowed to speak at all is the
 * set "addresses". The nft program is run once per host, to install the rules; then everything is
 * set elements over netlink. Which rules are installed is told by the one element of
 * the set "installed", the hash of sbrun.nft, changed in the same transaction as the rules: after
 * an update of the program, or if somebody flushed the ruleset, the next user installs its own.
 */
#include "net/firewall.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <netinet/in.h>
#include <linux/netlink.h>

#include "net/firewall_rules.h"
#include "net/link.h"
#include "net/nft_set.h"
#include "net/nl.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"

#define TABLE "sbrun"

static const struct sb_nft_set addresses = { .table = TABLE,
					     .name = "addresses",
					     .key_len = sizeof(struct in6_addr) };
static const struct sb_nft_set installed = { .table = TABLE,
					     .name = "installed",
					     .key_len = sizeof(uint32_t) };

/* Put what nft shall read into an anonymous file. */
static int open_rules(struct sb_err *err)
{
	static const char rules[] = SB_FIREWALL_RULES;
	_cleanup_fd_ int fd = memfd_create("sbrun.nft", MFD_CLOEXEC);
	char defines[96];
	int ret;

	if (fd < 0)
		return sb_err_set(err, errno, "create memory file");
	snprintf(defines, sizeof(defines), "define GROUP = %d\ndefine POLICY = 0x%08x\n",
		 SB_LINK_GROUP, SB_FIREWALL_POLICY);
	ret = sb_write_all(fd, defines, strlen(defines));
	if (ret == 0)
		ret = sb_write_all(fd, rules, sizeof(rules) - 1);
	if (ret < 0 || lseek(fd, 0, SEEK_SET) < 0)
		return sb_err_set(err, ret < 0 ? -ret : errno, "write memory file");
	return sb_steal_fd(&fd);
}

/* Start `nft -f -` with clean signals and environment; -ENOENT if there is no nft. */
static int spawn_nft(int in_fd, int out_fd, pid_t *ret_pid)
{
	/* By full path: we are root, and PATH is the caller's. */
	static const char *const paths[] = { "/usr/sbin/nft", "/sbin/nft", "/usr/bin/nft",
					     "/usr/local/sbin/nft" };
	char *const argv[] = { (char[]){ "nft" }, (char[]){ "-f" }, (char[]){ "-" }, NULL };
	char *const envp[] = { (char[]){ "LC_ALL=C" }, NULL };
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attr;
	sigset_t none, all;
	int ret = ENOENT;

	if (posix_spawn_file_actions_init(&files) != 0)
		return -ENOMEM;
	if (posix_spawnattr_init(&attr) != 0) {
		(void)posix_spawn_file_actions_destroy(&files);
		return -ENOMEM;
	}
	sigemptyset(&none);
	sigfillset(&all);
	if (posix_spawnattr_setsigmask(&attr, &none) != 0 ||
	    posix_spawnattr_setsigdefault(&attr, &all) != 0 ||
	    posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF) != 0 ||
	    posix_spawn_file_actions_adddup2(&files, in_fd, STDIN_FILENO) != 0 ||
	    posix_spawn_file_actions_adddup2(&files, out_fd, STDOUT_FILENO) != 0 ||
	    posix_spawn_file_actions_adddup2(&files, out_fd, STDERR_FILENO) != 0)
		ret = ENOMEM;
	for (size_t i = 0; i < SB_ARRAY_SIZE(paths) && ret == ENOENT; i++)
		ret = posix_spawn(ret_pid, paths[i], &files, &attr, argv, envp);
	(void)posix_spawnattr_destroy(&attr);
	(void)posix_spawn_file_actions_destroy(&files);
	return -ret;
}

/* First line of what nft wrote to @fd, without its end. */
static void first_line(int fd, char *buf, size_t size)
{
	ssize_t n = pread(fd, buf, size - 1, 0);

	buf[n > 0 ? n : 0] = '\0';
	buf[strcspn(buf, "\n")] = '\0';
}

/* Let nft install the rules in this namespace. */
static int run_nft(struct sb_err *err)
{
	_cleanup_fd_ int in = open_rules(err);
	_cleanup_fd_ int out = in < 0 ? -1 : memfd_create("nft output", MFD_CLOEXEC);
	char line[160];
	int ret, status = 0;
	pid_t pid;

	if (in < 0)
		return -err->code;
	if (out < 0)
		return sb_err_set(err, errno, "create memory file");
	ret = spawn_nft(in, out, &pid);
	if (ret < 0) {
		sb_err_set(err, -ret, "run 'nft' to install the firewall");
		return ret == -ENOENT ? sb_err_hint(err, "install the nftables package") : ret;
	}
	do {
		ret = waitpid(pid, &status, 0) < 0 ? -errno : 0;
	} while (ret == -EINTR);
	/* -ECHILD: the caller ignores SIGCHLD, so the kernel took the status; we look ourselves. */
	if (ret == 0 && status == 0)
		return 0;
	first_line(out, line, sizeof(line));
	if (ret == -ECHILD && !line[0])
		return 0;
	if (!line[0])
		return sb_err_set(err, EPROTO, "install the firewall: nft ended with status 0x%x",
				  (unsigned int)status);
	return sb_err_set(err, EPROTO, "install the firewall: nft says '%s'", line);
}

/**
 * sb_firewall_open() - Connect to the firewall of the namespace that the caller is in
 * @nl:		closed connection; the caller closes it with sb_nl_close()
 *
 * Return: 0, or a negative errno value
 */
int sb_firewall_open(struct sb_nl *nl, struct sb_err *err)
{
	return sb_nl_open(nl, NETLINK_NETFILTER, err);
}

/**
 * sb_firewall_up() - Make sure that our rules are installed
 * @nl:		connection to the namespace that the caller is in
 *
 * Takes some microseconds if they are, else some milliseconds. Addresses of living sandboxes stay
 * admitted. May run in any number of processes at once. Needs CAP_NET_ADMIN, and the nft program.
 *
 * Return: 0, or a negative errno value (-ENOENT: no nft; -EPROTO: it refused, in its own words)
 */
int sb_firewall_up(struct sb_nl *nl, struct sb_err *err)
{
	uint32_t want = SB_FIREWALL_POLICY;
	int ret = sb_nft_set_has(nl, &installed, &want, err);

	if (ret < 0)
		return ret == -EINVAL ? sb_err_hint(err, "the kernel needs nf_tables") : ret;
	return ret > 0 ? 0 : run_nft(err);
}

/**
 * sb_firewall_down() - Remove our rules and the list of addresses
 * @nl:		connection
 *
 * Return: 0 also if there were none, or a negative errno value
 */
int sb_firewall_down(struct sb_nl *nl, struct sb_err *err)
{
	return sb_nft_table_del(nl, TABLE, err);
}

/**
 * sb_firewall_admit() - Let an address answer and be called
 * @nl:		connection
 * @addr:	address of a sandbox
 *
 * Return: 0, or a negative errno value (-ENOENT: the rules are not installed)
 */
int sb_firewall_admit(struct sb_nl *nl, const struct in6_addr *addr, struct sb_err *err)
{
	return sb_nft_set_add(nl, &addresses, addr, err);
}

/**
 * sb_firewall_dismiss() - Undo sb_firewall_admit(), within a tick of the kernel's clock
 * @nl:		connection
 * @addr:	address of a sandbox
 *
 * Return: 0 also if it was not admitted; 1 if that was not possible without waiting for an RCU
 * grace period when @nl is closed (sb_nft_set_expire()); or a negative errno value
 */
int sb_firewall_dismiss(struct sb_nl *nl, const struct in6_addr *addr, struct sb_err *err)
{
	return sb_nft_set_expire(nl, &addresses, addr, err);
}

/**
 * sb_firewall_list() - All addresses that are admitted
 * @nl:		connection
 * @ret:	addresses; the caller frees them. NULL if there are none
 * @ret_n:	how many
 *
 * Return: 0 also if the rules are not installed, or a negative errno value
 */
int sb_firewall_list(struct sb_nl *nl, struct in6_addr **ret, size_t *ret_n, struct sb_err *err)
{
	void *keys;

	if (sb_nft_set_list(nl, &addresses, &keys, ret_n, err) < 0)
		return -err->code;
	*ret = keys;
	return 0;
}
