/* Edit distance, for "did you mean". It must stay small: words longer than WORD_MAX are not looked
 * at. */
#include "client/suggest.h"

#include <string.h>

#define WORD_MAX 32

static size_t least(size_t a, size_t b, size_t c)
{
	size_t ab = a < b ? a : b;

	return ab < c ? ab : c;
}

/* Levenshtein's distance, one row at a time. */
static size_t distance(const char *a, const char *b)
{
	size_t row[WORD_MAX + 1];
	size_t length = strlen(b);

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

	if (length == 0 || length > WORD_MAX || strlen(candidate) > WORD_MAX)
		return;
	d = distance(typed, candidate);
	/* Half of a word wrong is another word. */
	if (d > 3 || 2 * d > length)
		return;
	if (best->word == NULL || d < best->distance) {
		best->word = candidate;
		best->distance = d;
	}
}
