/* A terminal for the container: a pty of the client's own, never the user's. The container's
 * programs can type into their terminal or take it over, and none of that reaches the user's. */
#ifndef CES_CLIENT_TERMINAL_H
#define CES_CLIENT_TERMINAL_H

#include <stdbool.h>
#include <stdint.h>
#include <termios.h>

#include "common/error.h"

struct ces_terminal {
	int master;
	int slave;            /* for the helper; -1 when the helper has it */
	bool raw;             /* the user's terminal is in raw mode */
	struct termios saved; /* its modes before */
};
#define CES_TERMINAL_NONE ((struct ces_terminal){.master = -1, .slave = -1})

/* Makes a pty with the modes and the size of the user's terminal. */
int ces_terminal_open(struct ces_terminal *ret, struct ces_error *err);

/* Puts the user's terminal into raw mode, so that ^C goes to the container's terminal. */
void ces_terminal_raw(struct ces_terminal *terminal);

/* Gives the user's terminal its old modes. */
void ces_terminal_restore(struct ces_terminal *terminal);

/* Gives the pty the size of the user's terminal. Returns rows << 16 | columns; 0 without a
 * terminal. */
uint64_t ces_terminal_resize(const struct ces_terminal *terminal);

/* Does that too, and closes the pty. */
void ces_terminal_close(struct ces_terminal *terminal);

#endif
