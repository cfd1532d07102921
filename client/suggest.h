/* The nearest known word to a mistyped one. */
#ifndef CES_CLIENT_SUGGEST_H
#define CES_CLIENT_SUGGEST_H

#include <stddef.h>

/* Candidates are offered one by one; `word` is NULL until one is near enough. Zero-initialise. */
struct ces_suggestion {
	const char *word;
	size_t distance;
};
void ces_suggest(struct ces_suggestion *best, const char *typed, const char *candidate);

#endif
