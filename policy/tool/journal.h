/* The files of a journal, oldest first, as one stream of lines, in memory that does not grow. */
#ifndef CES_POLICY_TOOL_JOURNAL_H
#define CES_POLICY_TOOL_JOURNAL_H

#include <stdbool.h>
#include <stddef.h>

#include "common/error.h"

struct ces_journal_reader;

struct ces_line {
	const char *at; /* valid until the next call */
	size_t length;  /* without the newline */
	const char *file;
	size_t number; /* in its file, from 1 */
	bool first;    /* of its file */
	bool ended;    /* by a newline */
	bool too_long; /* longer than any record; only its beginning is here */
};

/* Opens path and what rotation has made of it: path.1, path.2.gz, path-20261001, ... Files that are
 * missing at the old end are no error here; a file that cannot be read is one. */
int ces_journal_reader_open(const char *path, struct ces_journal_reader **ret,
			    struct ces_error *err);

/* 1 and a line, 0 at the end, -1 when a file cannot be read on (damaged compression). */
int ces_journal_reader_next(struct ces_journal_reader *reader, struct ces_line *ret,
			    struct ces_error *err);

/* How many files there are. */
size_t ces_journal_reader_files(const struct ces_journal_reader *reader);

void ces_journal_reader_close(struct ces_journal_reader *reader);

#endif
