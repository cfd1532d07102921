/* Listings: rows of images or runs, as a table for people or as JSON for programs. */
#ifndef CES_CLIENT_TABLE_H
#define CES_CLIENT_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/kept.h"
#include "common/event.h"
#include "common/request.h"

enum ces_table_kind {
	CES_TABLE_NONE,
	CES_TABLE_IMAGES,
	CES_TABLE_RUNS,
	CES_TABLE_JSON,
	CES_TABLE_NAMES, /* only the first column, without its header: for $( ) */
};

#define CES_TABLE_COLUMNS 8

struct ces_table_row {
	char *cell[CES_TABLE_COLUMNS]; /* or the text of one JSON object in the first */
	uint64_t when;                 /* started, or pulled */
};

struct ces_table {
	enum ces_table_kind kind;
	bool digests; /* whole ones */
	struct ces_table_row *rows;
	size_t n;
};

void ces_table_add_image(struct ces_table *table, const struct ces_event_image *image);
void ces_table_add_run(struct ces_table *table, const struct ces_event_run *run);

/* A run that the helper no longer lists, or does not know: "ended", "running" while somebody lives
 * who will note its end, "unknown" on another machine. */
void ces_table_add_kept(struct ces_table *table, const struct ces_kept *kept);
const char *ces_table_state(const struct ces_kept *kept);

/* Prints on stdout, the newest first. An empty table still has its header, and an empty JSON
 * listing is []. */
void ces_table_print(struct ces_table *table);
void ces_table_free(struct ces_table *table);

#endif
