/* The files of a journal, oldest first, as one stream of lines. Its memory must not grow with the
 * journal. */
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

/* Opens path and its rotated files: path.1, path.2.gz, path-20261001, and so on. Missing old files
 * are no error here; an unreadable file is. */
int ces_journal_reader_open(const char *path, struct ces_journal_reader **ret,
			    struct ces_error *err);

/* 1 and a line, 0 at the end, -1 if a file cannot be read on (damaged compression). */
int ces_journal_reader_next(struct ces_journal_reader *reader, struct ces_line *ret,
			    struct ces_error *err);

/* The number of files. */
size_t ces_journal_reader_files(const struct ces_journal_reader *reader);

void ces_journal_reader_close(struct ces_journal_reader *reader);

#endif
