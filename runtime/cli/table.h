/* SPDX-License-Identifier: Apache-2.0 */
/*
 * table.h - tables whose columns are as wide as what is in them
 */
#ifndef SB_CLI_TABLE_H
#define SB_CLI_TABLE_H

#include <stddef.h>

struct sb_strv;

void sb_table_add(struct sb_strv *table, const char *const cells[], size_t columns);
void sb_table_print(struct sb_strv *table, size_t columns);

#endif /* SB_CLI_TABLE_H */
