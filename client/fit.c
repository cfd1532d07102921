/* Shortens columns. It must not shorten what programs read: ces_fit_terminal returns 0 there. */
#include "client/fit.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "common/num.h"

#define LEAST 9  /* a narrower column is of no use */
#define DAY   10 /* "2026-11-27" */

static const char cut[] = "..";

size_t ces_fit_terminal(int fd)
{
	const char *columns = getenv("COLUMNS");
	struct winsize size = {0};
	uint64_t wanted;

	if (!isatty(fd))
		return 0;
	if (columns != NULL && ces_num_parse(columns, 1, UINT16_MAX, &wanted) == 0)
		return (size_t)wanted;
	return ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

static size_t line(const size_t *widths, size_t n)
{
	size_t length = CES_FIT_GAP * (n - 1);

	for (size_t i = 0; i < n; i++)
		length += widths[i];
	return length;
}

/* The widest column that may become narrower; n: none. */
static size_t widest(const enum ces_fit *kinds, const size_t *widths, size_t n)
{
	size_t found = n;

	for (size_t i = 0; i < n; i++)
		if ((kinds[i] == CES_FIT_FIRST || kinds[i] == CES_FIT_LAST) && widths[i] > LEAST &&
		    (found == n || widths[i] > widths[found]))
			found = i;
	return found;
}

void ces_fit_columns(const enum ces_fit *kinds, size_t *widths, size_t n, size_t most)
{
	if (most == 0 || line(widths, n) <= most)
		return;
	for (size_t i = 0; i < n; i++)
		if (kinds[i] == CES_FIT_DAY && widths[i] > DAY)
			widths[i] = DAY;
	while (line(widths, n) > most) {
		size_t i = widest(kinds, widths, n);

		if (i == n)
			return;
		widths[i]--;
	}
}

void ces_fit_print(const char *text, enum ces_fit kind, size_t width, bool last)
{
	size_t length = strlen(text), left = width - strlen(cut);

	if (length <= width)
		printf("%-*s", last ? 0 : (int)width, text);
	else if (kind == CES_FIT_LAST)
		printf("%s%s", cut, text + length - left);
	else if (kind == CES_FIT_FIRST)
		printf("%.*s%s", (int)left, text, cut);
	else
		printf("%.*s", (int)width, text);
	printf("%*s", last ? 1 : CES_FIT_GAP, last ? "\n" : "");
}
