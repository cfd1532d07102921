/* Finds the known word nearest to a mistyped one. */
#ifndef CES_COMMON_SUGGEST_H
#define CES_COMMON_SUGGEST_H

#include <stddef.h>

#define CES_SUGGEST_MAX 32 /* longer words are never suggested */

/* Candidates are offered one by one. `word` is NULL until one is near enough. Zero it first. */
struct ces_suggestion {
	const char *word;
	size_t distance;
};
void ces_suggest(struct ces_suggestion *best, const char *typed, const char *candidate);

/* Levenshtein's distance; of b only the first CES_SUGGEST_MAX bytes count. */
size_t ces_suggest_distance(const char *a, const char *b);

#endif
