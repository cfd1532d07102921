/* One connection: splice(2) moves bytes from the accepted socket to the connected one, and back. It
 * must not look at them. */
#ifndef CES_RELAY_PUMP_H
#define CES_RELAY_PUMP_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>

struct ces_flow {
	int from, to;
	int pipe[2];
	size_t held; /* bytes in the pipe */
	bool full;   /* the pipe takes no more */
	bool end;    /* `from` has ended */
	bool done;   /* and `to` was shut down */
};

struct ces_pump {
	bool used;
	bool connecting; /* the other side has not answered yet */
	int accepted, connected;
	struct ces_flow in, out;
};

/* Takes both sockets (non-blocking). If there are no pipes, it closes both and returns -1. */
int ces_pump_start(struct ces_pump *pump, int accepted, int connected);

/* Fills in what to wait for: [0] accepted, [1] connected; fd -1: nothing. */
void ces_pump_poll(const struct ces_pump *pump, struct pollfd ret[2]);

/* Moves what it can. The connection ends by itself; after that it is not `used`. */
void ces_pump_step(struct ces_pump *pump, const struct pollfd ready[2]);

#endif
