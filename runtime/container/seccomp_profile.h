/* SPDX-License-Identifier: Apache-2.0 */
/*
 * seccomp_profile.h - the default system call profile, as data
 *
 * For seccomp_gen.c, which compiles it to BPF at build time, and for the unit test, which checks
 * the result against it. The runtime itself has only the result.
 */
#ifndef SB_CONTAINER_SECCOMP_PROFILE_H
#define SB_CONTAINER_SECCOMP_PROFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Newest number that the profile knows: mseal, Linux 6.10. Everything above is ENOSYS, which makes
 * programs fall back to what they did on older kernels (CVE-2021-41133: deny-lists let new calls
 * through).
 */
#define SB_SECCOMP_NR_MAX 462

/* What happens to a call. Rules from SB_RULE_CLONE on look at the arguments. */
enum sb_seccomp_rule {
	SB_RULE_ENOSYS, /* pretend that the kernel is older; also every number not named */
	SB_RULE_EPERM,
	SB_RULE_ALLOW,
	SB_RULE_CLONE,
	SB_RULE_UNSHARE,
	SB_RULE_SOCKET,
	SB_RULE_SETSOCKOPT,
	SB_RULE_IOCTL,
	SB_RULE_PERSONALITY,
	SB_RULES_N,
};

/**
 * struct sb_seccomp_group - calls with one rule, for one reason
 * @rule:	what happens to them
 * @names:	their names, separated by blanks; those that an architecture lacks are skipped
 */
struct sb_seccomp_group {
	enum sb_seccomp_rule rule;
	const char *names;
};

/**
 * struct sb_seccomp_cond - a condition on one argument
 * @arg:	0..5
 * @n:		how many @values; 0: the condition always holds
 * @bits:	true: any bit of @values[0] is set; false: equal to one of @values
 * @values:	compared with the low 32 bits. All these parameters are int or unsigned int in the
 *		kernel, so the high half must not count (CVE-2019-7303 was such a bypass).
 */
struct sb_seccomp_cond {
	uint8_t arg;
	uint8_t n;
	bool bits;
	uint32_t values[6];
};

/**
 * struct sb_seccomp_check - a row of a rule that looks at arguments
 * @rule:	which; the rows of a rule are neighbours and the first that fits decides
 * @first:	condition
 * @second:	condition that must hold as well
 * @ret:	SECCOMP_RET_*
 */
struct sb_seccomp_check {
	enum sb_seccomp_rule rule;
	struct sb_seccomp_cond first;
	struct sb_seccomp_cond second;
	uint32_t ret;
};

extern const struct sb_seccomp_group sb_seccomp_groups[];
extern const size_t sb_seccomp_n_groups;
extern const struct sb_seccomp_check sb_seccomp_checks[];
extern const size_t sb_seccomp_n_checks;

int sb_seccomp_number(uint32_t audit_arch, const char *name);
char *sb_seccomp_name(uint32_t audit_arch, int nr);

#endif /* SB_CONTAINER_SECCOMP_PROFILE_H */
