/* The columns of a listing on a terminal: what is too wide for it is shortened. */
#ifndef CES_CLIENT_FIT_H
#define CES_CLIENT_FIT_H

#include <stdbool.h>
#include <stddef.h>

#define CES_FIT_GAP 2 /* blanks between columns */

enum ces_fit {
	CES_FIT_WHOLE, /* never shortened */
	CES_FIT_DAY,   /* a time: the day is kept */
	CES_FIT_FIRST, /* the first part is kept */
	CES_FIT_LAST,  /* the last part is kept: of a path or an image, what distinguishes it from
			  others */
};

/* Columns of the terminal on fd, by COLUMNS or by the terminal's own answer; 0: no terminal, so
 * nothing is shortened. */
size_t ces_fit_terminal(int fd);

/* Makes the widest of the n columns narrower until a line fits `most`, as far as that goes. */
void ces_fit_columns(const enum ces_fit *kinds, size_t *widths, size_t n, size_t most);

/* Prints a cell on stdout in its width; the last of a line has no blanks behind it. */
void ces_fit_print(const char *text, enum ces_fit kind, size_t width, bool last);

#endif
