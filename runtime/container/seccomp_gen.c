/* SPDX-License-Identifier: Apache-2.0 */
/*
 * seccomp_gen.c - compile the default profile to BPF (a program of the build, never installed)
 *
 * Usage: seccomp_gen x86_64|aarch64 OUTPUT
 *
 * Shape of the result: check the architecture, load the number, find the interval of neighbours
 * that share a rule by a balanced tree of "number >= k", and jump to its answer, or to the checks
 * of its arguments. Answers exist once. What installing costs is mostly the kernel's translation of
 * the program, so short is fast: libseccomp's list of 377 instructions takes 326 us, its tree 85
 * us.
 *
 * BPF jumps forward only, so the program is made from its end to its start: whatever an instruction
 * refers to exists already. A position counts from the end.
 */
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>

#include "runtime/base/cleanup.h"
#include "runtime/container/seccomp_profile.h"

#define INSNS_MAX 1024
#define JUMP_MAX  255        /* conditional jumps have 8 bits, BPF_JA has 32 */
#define X32_BIT   0x40000000 /* __X32_SYSCALL_BIT of <asm/unistd.h> on x86_64 */
#define BEYOND    SB_RULES_N /* rule of the numbers above SB_SECCOMP_NR_MAX */
#define N_NUMBERS (SB_SECCOMP_NR_MAX + 1)
#define UNDECIDED (-1)

/* Neighbouring numbers with one rule: from @lo up to the next interval. */
struct interval {
	uint32_t lo;
	int rule;
};

/* The compiler's state. @insns: backwards; @block: position of the code for a rule. */
struct gen {
	uint32_t audit_arch;
	int rules[N_NUMBERS];
	struct interval iv[N_NUMBERS + 2];
	size_t n_iv;
	struct sock_filter insns[INSNS_MAX];
	size_t n;
	size_t block[SB_RULES_N + 1];
};

/* Give every name of @group its rule; false after saying what is wrong. */
static bool decide_group(struct gen *g, const struct sb_seccomp_group *group)
{
	_cleanup_free_ char *names = strdup(group->names);
	char *save = NULL;

	if (!names)
		return false;
	for (char *name = strtok_r(names, " ", &save); name; name = strtok_r(NULL, " ", &save)) {
		int nr = sb_seccomp_number(g->audit_arch, name);

		if (nr == -ENOENT)
			continue;
		if (nr < 0 || nr > SB_SECCOMP_NR_MAX) {
			fprintf(stderr, "seccomp_gen: '%s': no usable number (%d)\n", name, nr);
			return false;
		}
		if (g->rules[nr] != UNDECIDED) {
			fprintf(stderr, "seccomp_gen: '%s' is named twice\n", name);
			return false;
		}
		g->rules[nr] = (int)group->rule;
	}
	return true;
}

/* Fill @g->rules; false if the profile forgets a call that libseccomp knows. */
static bool decide(struct gen *g)
{
	for (int nr = 0; nr < N_NUMBERS; nr++)
		g->rules[nr] = UNDECIDED;
	for (size_t i = 0; i < sb_seccomp_n_groups; i++)
		if (!decide_group(g, &sb_seccomp_groups[i]))
			return false;
	for (int nr = 0; nr < N_NUMBERS; nr++) {
		_cleanup_free_ char *name = NULL;

		if (g->rules[nr] != UNDECIDED)
			continue;
		name = sb_seccomp_name(g->audit_arch, nr);
		if (name) {
			fprintf(stderr, "seccomp_gen: the profile does not decide '%s'\n", name);
			return false;
		}
		g->rules[nr] = SB_RULE_ENOSYS;
	}
	return true;
}

static void find_intervals(struct gen *g)
{
	int last = UNDECIDED;

	for (int nr = 0; nr < N_NUMBERS; nr++) {
		if (g->rules[nr] != last)
			g->iv[g->n_iv++] = (struct interval){ (uint32_t)nr, g->rules[nr] };
		last = g->rules[nr];
	}
	g->iv[g->n_iv++] = (struct interval){ N_NUMBERS, BEYOND };
	g->iv[g->n_iv].lo = N_NUMBERS + 1; /* end of the last one, for emit_tree() */
}

/* Put one instruction before all others; gives its position. */
static size_t emit(struct gen *g, unsigned int code, uint32_t k, size_t jt, size_t jf)
{
	if (g->n == INSNS_MAX || jt > JUMP_MAX || jf > JUMP_MAX) {
		fprintf(stderr, "seccomp_gen: the profile has outgrown BPF\n");
		exit(1);
	}
	g->insns[g->n] = (struct sock_filter){ (uint16_t)code, (uint8_t)jt, (uint8_t)jf, k };
	return g->n++;
}

/* An instruction that ends the program; the same answer is made only once. */
static size_t answer(struct gen *g, uint32_t ret)
{
	for (size_t i = 0; i < g->n; i++)
		if (g->insns[i].code == (BPF_RET | BPF_K) && g->insns[i].k == ret)
			return i;
	return emit(g, BPF_RET | BPF_K, ret, 0, 0);
}

/* @to, or where to go instead if the instructions to come could not reach it. */
static size_t reachable(struct gen *g, size_t to)
{
	const size_t slack = 2; /* the branch itself, and the way round for its other target */

	if (g->n + slack - to <= JUMP_MAX)
		return to;
	return emit(g, BPF_JMP | BPF_JA, (uint32_t)(g->n - to - 1), 0, 0);
}

/* "If the accumulator @op @k, go to @yes, else to @no." */
static size_t branch(struct gen *g, unsigned int op, uint32_t k, size_t yes, size_t no)
{
	if (yes == no)
		return yes;
	yes = reachable(g, yes);
	no = reachable(g, no);
	return emit(g, BPF_JMP | op | BPF_K, k, g->n - yes - 1, g->n - no - 1);
}

/* "Load the word at @offset of struct seccomp_data and go on at @next." */
static size_t load(struct gen *g, size_t offset, size_t next)
{
	if (next != g->n - 1)
		emit(g, BPF_JMP | BPF_JA, (uint32_t)(g->n - next - 1), 0, 0);
	return emit(g, BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset, 0, 0);
}

static size_t emit_cond(struct gen *g, const struct sb_seccomp_cond *cond, size_t yes, size_t no)
{
	unsigned int op = cond->bits ? BPF_JSET : BPF_JEQ;

	if (!cond->n)
		return yes;
	for (size_t i = 0; i < cond->n; i++)
		no = branch(g, op, cond->values[i], yes, no);
	/* Both our architectures are little endian: the low half of an argument comes first. */
	return load(g, offsetof(struct seccomp_data, args) + 8 * (size_t)cond->arg, no);
}

/* The rows of a rule, from the last, which always fits, to the first. */
static size_t emit_rule(struct gen *g, enum sb_seccomp_rule rule)
{
	size_t next = answer(g, SECCOMP_RET_ERRNO | EPERM);

	for (size_t i = sb_seccomp_n_checks; i-- > 0;) {
		const struct sb_seccomp_check *c = &sb_seccomp_checks[i];
		size_t yes;

		if (c->rule != rule)
			continue;
		yes = emit_cond(g, &c->second, answer(g, c->ret), next);
		next = emit_cond(g, &c->first, yes, next);
	}
	return next;
}

/* Numbers above the newest known: ENOSYS, but calls of the x32 ABI are deadly. */
static size_t emit_beyond(struct gen *g)
{
	size_t enosys = answer(g, SECCOMP_RET_ERRNO | ENOSYS);
	size_t kill = answer(g, SECCOMP_RET_KILL_PROCESS);

	if (g->audit_arch != AUDIT_ARCH_X86_64)
		return enosys;
	/* -1 has that bit too: a tracer's way to skip a call, see seccomp(2). */
	return branch(g, BPF_JSET, X32_BIT, branch(g, BPF_JEQ, UINT32_MAX, enosys, kill), enosys);
}

/*
 * "Which of the intervals @a to @b?" Split in the middle of the numbers, not of the intervals: on
 * installation the kernel asks once for each number (its cache of constant answers, Linux 5.11).
 */
static size_t emit_tree(struct gen *g, size_t a, size_t b)
{
	const struct interval *iv = g->iv;
	size_t mid = a + 1, upper, lower;

	if (a == b)
		return g->block[iv[a].rule];
	/* A single number among neighbours that are alike. */
	if (b - a == 2 && iv[a].rule == iv[b].rule && iv[b].lo - iv[a + 1].lo == 1)
		return branch(g, BPF_JEQ, iv[a + 1].lo, g->block[iv[a + 1].rule],
			      g->block[iv[a].rule]);
	while (mid < b && 2 * iv[mid].lo < iv[a].lo + iv[b + 1].lo)
		mid++;
	upper = emit_tree(g, mid, b);
	lower = emit_tree(g, a, mid - 1);
	return branch(g, BPF_JGE, iv[mid].lo, upper, lower);
}

static void compile(struct gen *g)
{
	size_t kill = answer(g, SECCOMP_RET_KILL_PROCESS);
	size_t next;

	g->block[SB_RULE_ALLOW] = answer(g, SECCOMP_RET_ALLOW);
	g->block[SB_RULE_EPERM] = answer(g, SECCOMP_RET_ERRNO | EPERM);
	g->block[SB_RULE_ENOSYS] = answer(g, SECCOMP_RET_ERRNO | ENOSYS);
	g->block[BEYOND] = emit_beyond(g);
	for (int rule = SB_RULE_CLONE; rule < SB_RULES_N; rule++)
		g->block[rule] = emit_rule(g, (enum sb_seccomp_rule)rule);
	next = emit_tree(g, 0, g->n_iv - 1);
	next = load(g, offsetof(struct seccomp_data, nr), next);
	next = branch(g, BPF_JEQ, g->audit_arch, next, kill);
	(void)load(g, offsetof(struct seccomp_data, arch), next);
}

static bool save(const struct gen *g, const char *path)
{
	FILE *f = fopen(path, "we");

	if (!f)
		return false;
	fprintf(f, "/* Generated by seccomp_gen from seccomp_profile.c: do not edit. */\n");
	for (size_t i = g->n; i-- > 0;)
		fprintf(f, "{ 0x%02x, %u, %u, 0x%08x }, /* %zu */\n", g->insns[i].code,
			g->insns[i].jt, g->insns[i].jf, g->insns[i].k, g->n - 1 - i);
	return fclose(f) == 0;
}

int main(int argc, char **argv)
{
	static struct gen g; /* 30 kB */

	if (argc != 3) {
		fprintf(stderr, "usage: seccomp_gen x86_64|aarch64 OUTPUT\n");
		return 2;
	}
	g.audit_arch = !strcmp(argv[1], "x86_64") ? AUDIT_ARCH_X86_64 : AUDIT_ARCH_AARCH64;
	if (!decide(&g))
		return 1;
	find_intervals(&g);
	compile(&g);
	if (!save(&g, argv[2])) {
		fprintf(stderr, "seccomp_gen: write '%s': %s\n", argv[2], strerror(errno));
		return 1;
	}
	return 0;
}
