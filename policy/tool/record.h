/* One line of the audit journal, taken apart without copying. Format: manual ces-audit(5). */
#ifndef CES_POLICY_TOOL_RECORD_H
#define CES_POLICY_TOOL_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

enum ces_record_key {
	CES_RECORD_SEQ,
	CES_RECORD_TIME,
	CES_RECORD_PREV,
	CES_RECORD_EVENT,
	CES_RECORD_OUTCOME,
	CES_RECORD_VERB,
	CES_RECORD_UID,
	CES_RECORD_USER,
	CES_RECORD_IMAGE,
	CES_RECORD_PROJECT,
	CES_RECORD_ARGS,
	CES_RECORD_ENV,
	CES_RECORD_RUN,
	CES_RECORD_DIGEST,
	CES_RECORD_POLICY,
	CES_RECORD_RULE,
	CES_RECORD_APPROVAL,
	CES_RECORD_GPUS,
	CES_RECORD_PORTS,
	CES_RECORD_CODE,
	CES_RECORD_STATUS,
	CES_RECORD_REASON,
	CES_RECORD_PEAK_MEMORY,
	CES_RECORD_CPU_US,
	CES_RECORD_COUNT,
	CES_RECORD_OUTPUTS,
	CES_RECORD_MANIFEST,
	CES_RECORD_FILES,
	CES_RECORD_BYTES,
	CES_RECORD_CHECK,
	CES_RECORD_FINDINGS,
	CES_RECORD_WITHHELD,
	CES_RECORD_KEYS,
};

/* Bytes of the line. A string's are between its quotes, with escapes as written. */
struct ces_slice {
	const char *at; /* NULL: the record has no such key */
	size_t length;
};

struct ces_record {
	struct ces_slice field[CES_RECORD_KEYS];
};

/* Takes a line without its newline. -1 if it is not one JSON object (RFC 8259) of printable ASCII
 * in which the keys above occur at most once and with their types. It skips other keys. */
int ces_record_read(const char *line, size_t length, struct ces_record *ret);

const char *ces_record_name(enum ces_record_key key);

/* The value as text, escapes undone; whatever is not printable becomes '?'. "" when it is absent.
 */
const char *ces_record_text(const struct ces_record *record, enum ces_record_key key, char *buffer,
			    size_t size);

/* 0 when absent. */
uint64_t ces_record_number(const struct ces_record *record, enum ces_record_key key);

/* Returns whether the value consists of exactly these bytes. */
bool ces_record_is(const struct ces_record *record, enum ces_record_key key, const char *text);

/* The number at the beginning of a line, whole or torn; 0 if there is none. The writer reads it in
 * the same way: the next record has this number plus one. */
uint64_t ces_record_seq(const char *line, size_t length);

/* Seconds since 1970 of a time in the journal; -1 if it is none. */
time_t ces_record_seconds(const char *text);

/* As ces_record_text, but with line feeds and carriage returns, for a writer that escapes them. */
const char *ces_record_lines(const struct ces_record *record, enum ces_record_key key, char *buffer,
			     size_t size);

#endif
