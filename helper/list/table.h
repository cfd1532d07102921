/* A table as text: CSV by RFC 4180, with commas, semicolons or tabs. */
#ifndef CES_HELPER_LIST_TABLE_H
#define CES_HELPER_LIST_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "policy/outputs.h"

#define CES_TABLE_FIELD (1u << 20) /* bytes of a field; a longer one is an error */
#define CES_TABLE_KEPT  256        /* of these, kept for names and numbers */

enum ces_table_fault {
	CES_TABLE_QUOTE,    /* a quote in the wrong place, or without an end */
	CES_TABLE_FIELDS,   /* a row with more fields than the first one has */
	CES_TABLE_UNCLEAR,  /* programs could see other columns than this one does */
	CES_TABLE_LONG,     /* a field that is too long, or too many fields */
	CES_TABLE_NAMELESS, /* a cell in a column that has no name */
	CES_TABLE_ROWS,     /* more than the check allows */
	CES_TABLE_COLUMNS,
	CES_TABLE_COLUMN, /* a forbidden one; `which` is its place in the check */
	CES_TABLE_COUNT,  /* one that is too small; `which` likewise */
	CES_TABLE_FAULTS
};

struct ces_table;
typedef void ces_table_found(void *context, enum ces_table_fault fault, size_t which);
typedef void ces_table_value(void *context, char c, bool end); /* of a field; or its end */

struct ces_table {
	const struct ces_check *check;
	ces_table_found *found;
	ces_table_value *value;
	void *context;
	char separator;
	enum { CES_TABLE_START, CES_TABLE_PLAIN, CES_TABLE_QUOTED, CES_TABLE_BEHIND } state;
	bool carriage; /* the last byte was a CR that ended a row */
	bool broken;   /* it is no table, and no longer read as one */
	bool known;    /* the check names a column of the first row */
	size_t skip;   /* bytes of a byte order mark that are still to come */
	uint64_t lines, rows;
	uint64_t line;  /* where the field began, from 1 */
	size_t column;  /* of the field, from 1; 0: before the first of a row */
	size_t columns; /* of the first row */
	size_t length;  /* of the field */
	size_t kept;    /* of it in `field` */
	size_t marks;   /* in memory */
	unsigned char
	    *counts; /* for each column that states counts: its place in the check, from 1 */
	char field[CES_TABLE_KEPT + 1];
};

/* first: the first bytes of the file, which show the separator; in a .tsv it is a tab. */
void ces_table_begin(struct ces_table *table, const struct ces_check *check, bool tabs,
		     const char *first, size_t length, ces_table_found *found,
		     ces_table_value *value, void *context);
/* Returns how many bytes it took: fewer if the table broke. */
size_t ces_table_add(struct ces_table *table, const char *bytes, size_t length);
void ces_table_end(struct ces_table *table);

/* Returns whether name matches the pattern, in any case; * matches any characters, ? matches
 * one. */
bool ces_table_named(const char *pattern, const char *name);

/* The number that a text begins with: 7, 1,234, 5.0, 7 (3%). False if there is none, as in NA or
 * <10. */
bool ces_table_number(const char *text, double *ret);

#endif
