/* SPDX-License-Identifier: Apache-2.0 */
/*
 * seccomp_gen.c - compile the default profile to BPF (a program of the build, never installed)
 *
 * Usage: seccomp_gen x86_64|aarch64 OUTPUT
 *
 * Shape of the result: check the architecture, load the number, walk a balanced tree of "number >=
 * k" to the interval of neighbours that share a rule, and return; rules that look at arguments are
 * blocks behind the tree, reached by a jump. The kernel walks the program once for every number
 * when it is installed (its cache of constant actions, Linux 5.11), so depth is what costs:
 * libseccomp's list takes 326 us to install, its tree 85 us, this tree about 35 us.
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

/* Stands for the distance to a rule's block until that is known; never a distance itself. */
#define BLOCK_OF(rule) (INSNS_MAX + (rule))

/* Neighbouring numbers with one rule: from @lo up to the next interval. */
struct interval {
	uint32_t lo;
	int rule;
};

/* The compiler's state. @block: where the code of a rule with arguments starts. */
struct gen {
	uint32_t audit_arch;
	int rules[N_NUMBERS];
	struct interval iv[N_NUMBERS + 1];
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
}

static size_t emit(struct gen *g, unsigned int code, size_t jt, size_t jf, uint32_t k)
{
	if (g->n == INSNS_MAX || jt > JUMP_MAX || jf > JUMP_MAX) {
		fprintf(stderr, "seccomp_gen: the profile has grown beyond what BPF can jump\n");
		exit(1);
	}
	g->insns[g->n] = (struct sock_filter){ (uint16_t)code, (uint8_t)jt, (uint8_t)jf, k };
	return g->n++;
}

/* The instruction of one interval: its answer, or a jump that link_blocks() completes. */
static void emit_leaf(struct gen *g, int rule)
{
	switch (rule) {
	case SB_RULE_ALLOW:
		emit(g, BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW);
		break;
	case SB_RULE_EPERM:
		emit(g, BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ERRNO | EPERM);
		break;
	case SB_RULE_ENOSYS:
		emit(g, BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ERRNO | ENOSYS);
		break;
	default:
		emit(g, BPF_JMP | BPF_JA, 0, 0, BLOCK_OF((uint32_t)rule));
		break;
	}
}

/* Instructions that emit_tree() makes of the intervals @a to @b. */
static size_t tree_size(size_t a, size_t b)
{
	size_t mid = (a + b + 1) / 2, left;

	if (a == b)
		return 1;
	left = tree_size(a, mid - 1);
	return 1 + (left > JUMP_MAX ? 1 : 0) + left + tree_size(mid, b);
}

/* "Which of the intervals @a to @b?": the lower half follows, the upper half is jumped to. */
static void emit_tree(struct gen *g, size_t a, size_t b)
{
	size_t mid = (a + b + 1) / 2, left;

	if (a == b) {
		emit_leaf(g, g->iv[a].rule);
		return;
	}
	left = tree_size(a, mid - 1);
	if (left > JUMP_MAX) {
		emit(g, BPF_JMP | BPF_JGE | BPF_K, 0, 1, g->iv[mid].lo);
		emit(g, BPF_JMP | BPF_JA, 0, 0, (uint32_t)left);
	} else {
		emit(g, BPF_JMP | BPF_JGE | BPF_K, left, 0, g->iv[mid].lo);
	}
	emit_tree(g, a, mid - 1);
	emit_tree(g, mid, b);
}

static size_t cond_size(const struct sb_seccomp_cond *cond)
{
	return cond->n ? 1 + (size_t)cond->n : 0;
}

/* Go on with the next instruction if @cond holds, else skip @rest more instructions after it. */
static void emit_cond(struct gen *g, const struct sb_seccomp_cond *cond, size_t rest)
{
	unsigned int op = cond->bits ? BPF_JSET : BPF_JEQ;

	if (!cond->n)
		return;
	/* Both our architectures are little endian: the low half of an argument comes first. */
	emit(g, BPF_LD | BPF_W | BPF_ABS, 0, 0,
	     (uint32_t)offsetof(struct seccomp_data, args) + 8U * cond->arg);
	for (size_t i = 0; i < cond->n; i++) {
		bool is_last = i + 1U == cond->n;

		emit(g, BPF_JMP | op | BPF_K, cond->n - i - 1U, is_last ? rest : 0,
		     cond->values[i]);
	}
}

/* Numbers above the newest known: ENOSYS, but calls of the x32 ABI are deadly. */
static void emit_beyond(struct gen *g)
{
	g->block[BEYOND] = g->n;
	if (g->audit_arch == AUDIT_ARCH_X86_64) {
		emit(g, BPF_JMP | BPF_JSET | BPF_K, 0, 2, X32_BIT);
		/* -1 has that bit too: a tracer's way to skip a call, see seccomp(2). */
		emit(g, BPF_JMP | BPF_JEQ | BPF_K, 1, 0, UINT32_MAX);
		emit(g, BPF_RET | BPF_K, 0, 0, SECCOMP_RET_KILL_PROCESS);
	}
	emit(g, BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ERRNO | ENOSYS);
}

static void emit_checks(struct gen *g)
{
	for (size_t i = 0; i < sb_seccomp_n_checks; i++) {
		const struct sb_seccomp_check *c = &sb_seccomp_checks[i];
		size_t second = cond_size(&c->second);

		if (!g->block[c->rule])
			g->block[c->rule] = g->n;
		emit_cond(g, &c->first, second + 1);
		emit_cond(g, &c->second, 1);
		emit(g, BPF_RET | BPF_K, 0, 0, c->ret);
	}
}

/* Turn the rules that emit_leaf() left into distances. */
static void link_blocks(struct gen *g)
{
	for (size_t i = 0; i < g->n; i++) {
		struct sock_filter *f = &g->insns[i];

		if (f->code == (BPF_JMP | BPF_JA) && f->k >= BLOCK_OF(0))
			f->k = (uint32_t)(g->block[f->k - BLOCK_OF(0)] - i - 1);
	}
}

static void compile(struct gen *g)
{
	emit(g, BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(struct seccomp_data, arch));
	emit(g, BPF_JMP | BPF_JEQ | BPF_K, 1, 0, g->audit_arch);
	emit(g, BPF_RET | BPF_K, 0, 0, SECCOMP_RET_KILL_PROCESS);
	emit(g, BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(struct seccomp_data, nr));
	emit_tree(g, 0, g->n_iv - 1);
	emit_beyond(g);
	emit_checks(g);
	link_blocks(g);
}

static bool save(const struct gen *g, const char *path)
{
	FILE *f = fopen(path, "we");

	if (!f)
		return false;
	fprintf(f, "/* Generated by seccomp_gen from seccomp_profile.c: do not edit. */\n");
	for (size_t i = 0; i < g->n; i++)
		fprintf(f, "{ 0x%02x, %u, %u, 0x%08x }, /* %zu */\n", g->insns[i].code,
			g->insns[i].jt, g->insns[i].jf, g->insns[i].k, i);
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
