/* The loop of ces-relay: accepts from the listeners, and carries each connection to the address of
 * its listener. */
#ifndef CES_RELAY_SERVE_H
#define CES_RELAY_SERVE_H

#include <stdbool.h>

#include "common/worker.h"
#include "helper/relay/sandbox.h"

/* The job of one ces-relay. */
struct ces_serve {
	size_t n;                          /* listeners, from CES_RELAY_LISTENER */
	const union ces_relay_address *to; /* sealed, one for each */
	bool owned;                        /* serve only the owner at ports of the host */
	uid_t owner;
	in_port_t ports[CES_RELAY_PORTS];
};

/* Serves until the helper closes its end or poll fails. */
void ces_serve_run(const struct ces_serve *serve);

#endif
