/* SPDX-License-Identifier: Apache-2.0 */
/*
 * num.h - strict parsing of numbers, sizes, durations, ports and signals
 *
 * Every function takes the whole word or nothing: no leading blanks, no signs, no trailing rest.
 * They return 0, or -EINVAL (not such a value) or -ERANGE (too large), and write the result only on
 * success. The caller words the message: it knows what the value was for.
 */
#ifndef SB_BASE_NUM_H
#define SB_BASE_NUM_H

#include <stdint.h>

int sb_parse_u64(const char *s, uint64_t max, uint64_t *ret);
int sb_parse_within(const char *s, const char *before, const char *after, uint64_t *ret);
int sb_parse_size(const char *s, uint64_t *ret_bytes);
int sb_parse_duration(const char *s, uint64_t *ret_ms);
int sb_parse_port(const char *s, uint16_t *ret);
int sb_parse_cpus(const char *s, uint32_t *ret_milli);
int sb_parse_signal(const char *s, int *ret);

#endif /* SB_BASE_NUM_H */
