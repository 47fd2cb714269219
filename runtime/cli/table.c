/* SPDX-License-Identifier: Apache-2.0 */
/* table.c - tables whose columns are as wide as what is in them */
#include "runtime/cli/table.h"

#include <assert.h>
#include <string.h>

#include "runtime/base/err.h"
#include "runtime/base/str.h"
#include "runtime/cli/cli.h"

#define COLUMNS_MAX 8

/**
 * sb_table_add() - Add a line to a table that is printed when it is complete
 * @table:	cells of all lines
 * @cells:	texts
 * @columns:	how many
 */
void sb_table_add(struct sb_strv *table, const char *const cells[], size_t columns)
{
	struct sb_err ignored = SB_ERR_INIT;

	for (size_t i = 0; i < columns; i++)
		(void)sb_strv_add(table, cells[i], &ignored); /* without memory, it ends here */
}

/**
 * sb_table_print() - Print a table with columns as wide as what is in them
 * @table:	cells, line by line; empty afterwards
 * @columns:	how many, at most 8
 */
void sb_table_print(struct sb_strv *table, size_t columns)
{
	int widths[COLUMNS_MAX] = { 0 };

	assert(columns <= COLUMNS_MAX);
	for (size_t i = 0; i < table->n; i++) {
		int width = (int)strlen(table->v[i]);

		if (width > widths[i % columns])
			widths[i % columns] = width;
	}
	for (size_t i = 0; i + columns <= table->n; i += columns)
		sb_out_row((const char *const *)table->v + i, widths, columns);
	sb_strv_done(table);
}
