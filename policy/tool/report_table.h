/* Tables of the report: each on the page, and in a file of its own for a spreadsheet. */
#ifndef CES_POLICY_TOOL_REPORT_TABLE_H
#define CES_POLICY_TOOL_REPORT_TABLE_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "common/error.h"

enum ces_table_name {
	CES_TABLE_MAY_RUN,
	CES_TABLE_RAN,
	CES_TABLE_DENIED,
	CES_TABLE_SOON,
	CES_TABLE_UNUSED,
	CES_TABLE_GAPS,
	CES_TABLE_SATRE,
	CES_TABLE_RIGHTS,
	CES_TABLE_PROFILES,
	CES_TABLE_DATES,
	CES_TABLE_DAYS,
	CES_TABLE_HOURS,
	CES_TABLE_MONTHS,
	CES_TABLE_PROJECTS,
	CES_TABLE_OUTCOMES,
	CES_TABLES
};

#define CES_TABLE_CELL 32 /* room for a number */

/* Files for the tables; NULL if none are wanted. */
struct ces_tables {
	FILE *csv[CES_TABLES];
};

struct ces_report;

/* A table while it is written. Its rows have as many cells as its form has columns. */
struct ces_table {
	const struct ces_report *report;
	enum ces_table_name name;
	size_t rows;
};

/* A new directory with a file for each table. */
int ces_tables_make(const char *path, struct ces_tables *ret, struct ces_error *err);

/* 0 if everything reached the files. */
int ces_tables_close(struct ces_tables *tables);

void ces_table_begin(const struct ces_report *report, enum ces_table_name name,
		     struct ces_table *ret);
void ces_table_row(struct ces_table *table, const char *const cells[]);
void ces_table_end(struct ces_table *table);

/* For cells: "1.50" hours, whole numbers. They return buffer. */
const char *ces_table_hours(uint64_t seconds, char buffer[CES_TABLE_CELL]);
const char *ces_table_number(uint64_t number, char buffer[CES_TABLE_CELL]);

/* Text with HTML's markup escaped, and '?' for control characters. */
void ces_report_text(FILE *out, const char *text);

#endif
