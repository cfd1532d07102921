/* Finds identifiers of people in a stream of text: those of enum ces_check_value, and a site's own
 * patterns. It must never keep or repeat what it finds. */
#ifndef CES_HELPER_LIST_VALUES_H
#define CES_HELPER_LIST_VALUES_H

#include <stdbool.h>
#include <stddef.h>

#include "policy/outputs.h"

#define CES_VALUES_LONGEST 192 /* bytes that a form looks at */
#define CES_VALUES_WINDOW  1024

/* Called for each identifier, inside ces_values_add or ces_values_end. pattern: its place in the
 * list of patterns, or -1. */
typedef void ces_values_found(void *context, enum ces_check_value value, int pattern);

struct ces_values {
	const struct ces_check *check;
	ces_values_found *found;
	void *context;
	unsigned wanted;     /* a bit for each ces_check_value */
	size_t length, done; /* the window's length; no match begins in its first bytes */
	char before;         /* the window */
	char window[CES_VALUES_WINDOW];
};

void ces_values_begin(struct ces_values *values, const struct ces_check *check,
		      ces_values_found *found, void *context);
void ces_values_add(struct ces_values *values, char c);

/* The end of a line or of a field: no identifier goes on after it. */
void ces_values_end(struct ces_values *values);

/* For tests: the length of the identifier at the beginning of text, or 0. */
size_t ces_values_match(enum ces_check_value value, const char *text, size_t length);

#endif
