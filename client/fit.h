/* The columns of a listing on a terminal. It shortens what is too wide. */
#ifndef CES_CLIENT_FIT_H
#define CES_CLIENT_FIT_H

#include <stdbool.h>
#include <stddef.h>

#define CES_FIT_GAP 2 /* blanks between columns */

enum ces_fit {
	CES_FIT_WHOLE, /* never shortened */
	CES_FIT_DAY,   /* a time, of which the day stays */
	CES_FIT_FIRST, /* keeps the first part */
	CES_FIT_LAST,  /* keeps the last part, by which paths and images differ */
};

/* The columns of the terminal on fd, by COLUMNS or by the terminal itself; 0: no terminal, so
 * nothing is shortened. */
size_t ces_fit_terminal(int fd);

/* Narrows the widest of the n columns until a line fits into `most`, if it can. */
void ces_fit_columns(const enum ces_fit *kinds, size_t *widths, size_t n, size_t most);

/* Prints a cell on stdout in its width. The last cell of a line has no blanks after it. */
void ces_fit_print(const char *text, enum ces_fit kind, size_t width, bool last);

#endif
