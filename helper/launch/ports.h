/* The published ports of a run: listeners on the host's loopback, carried inwards by ces-relay. */
#ifndef CES_HELPER_LAUNCH_PORTS_H
#define CES_HELPER_LAUNCH_PORTS_H

#include "helper/launch/relays.h"

struct ces_ports {
	struct ces_relay relay;
	uint64_t refused;        /* strangers not yet in the journal */
	uint64_t port, uid;      /* of the last */
	int64_t next;            /* when they may go there, of ces_now_ms */
	int held[CES_PORTS_MAX]; /* sockets that keep the same ports of ::1 from others */
	size_t n_held;
};

#define CES_PORTS_NONE                                                                             \
	{                                                                                          \
		CES_RELAY_NONE, 0, 0, 0, 0, {0}, 0                                                 \
	}

/* Listens, and starts ces-relay in the container's network namespace. Nothing to do without ports.
 */
int ces_ports_start(const struct ces_plan *plan, const struct ces_container *container,
		    struct ces_ports *ret, struct ces_error *err);

/* Reads a report, when the channel can be read. Writes strangers to the journal, at most once in
 * ten seconds. */
void ces_ports_listen(const struct ces_plan *plan, struct ces_ports *ports);

/* Ends ces-relay; the ports are free again. */
void ces_ports_end(const struct ces_plan *plan, struct ces_ports *ports);

#endif
