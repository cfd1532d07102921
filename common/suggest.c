/* Edit distance, for "did you mean". It must stay small: it does not look at longer words. */
#include "common/suggest.h"

#include <string.h>

static size_t least(size_t a, size_t b, size_t c)
{
	size_t ab = a < b ? a : b;

	return ab < c ? ab : c;
}

/* Computes one row of the table at a time. */
size_t ces_suggest_distance(const char *a, const char *b)
{
	size_t row[CES_SUGGEST_MAX + 1];
	size_t length = strnlen(b, CES_SUGGEST_MAX);

	for (size_t j = 0; j <= length; j++)
		row[j] = j;
	for (size_t i = 0; a[i] != '\0'; i++) {
		size_t diagonal = row[0];

		row[0] = i + 1;
		for (size_t j = 0; j < length; j++) {
			size_t above = row[j + 1];

			row[j + 1] = least(above + 1, row[j] + 1, diagonal + (a[i] != b[j]));
			diagonal = above;
		}
	}
	return row[length];
}

void ces_suggest(struct ces_suggestion *best, const char *typed, const char *candidate)
{
	size_t length = strlen(typed);
	size_t d;

	if (length == 0 || length > CES_SUGGEST_MAX || strlen(candidate) > CES_SUGGEST_MAX)
		return;
	d = ces_suggest_distance(typed, candidate);
	/* A word with more than half of its letters wrong is another word. */
	if (d > 3 || 2 * d > length)
		return;
	if (best->word == NULL || d < best->distance) {
		best->word = candidate;
		best->distance = d;
	}
}
