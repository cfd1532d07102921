/* A strict walk over JSON text (RFC 8259) before json-c sees it, and the way from a key to its
 * line. */
#ifndef CES_POLICY_SCAN_H
#define CES_POLICY_SCAN_H

#include <stddef.h>

#include "common/error.h"

#define CES_SCAN_DEPTH 32

/* A place in the document, linked upwards; the outermost value has neither `up` nor `key`. */
struct ces_scan_place {
	const struct ces_scan_place *up;
	const char *key; /* NULL: element `index` of an array */
	size_t index;
};

/* One value with nothing but blanks around it. It refuses what json-c accepts: a key twice in one
 * object, escapes and non-ASCII bytes in a key, control characters, \u0000, halves of surrogate
 * pairs, a byte order mark, numbers and literals outside the grammar, more than CES_SCAN_DEPTH
 * levels, bytes after the end. */
int ces_scan_check(const char *bytes, size_t length, struct ces_error *err);

/* Offset of the key, or array element, at place. The text must have passed the check. */
size_t ces_scan_locate(const char *bytes, size_t length, const struct ces_scan_place *place);

/* Sets "line, column: text" (both from 1) with CES_E_POLICY for an offset; returns -1. */
int ces_scan_fault(const char *bytes, size_t at, const char *text, struct ces_error *err);

#endif
