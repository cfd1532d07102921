/* Starting ces-relay, and hearing from it. */
#ifndef CES_HELPER_LAUNCH_RELAYS_H
#define CES_HELPER_LAUNCH_RELAYS_H

#include "common/worker_order.h"
#include "helper/core/spawn.h"
#include "helper/launch/container.h"

struct ces_relay {
	struct ces_process process;
	int channel; /* to it; -1: none, or it has ended */
};

#define CES_RELAY_NONE                                                                             \
	{                                                                                          \
		CES_PROCESS_NONE, -1                                                               \
	}

/* Opens a socket that listens on the loopback of this process's network namespace; -1 with errno.
 */
int ces_relay_listen(uint16_t port, int *ret);

/* The network namespace of a container. */
int ces_relay_netns(const struct ces_container *container, int *ret, struct ces_error *err);

/* Starts a ces-relay on a job, in network namespace netns (-1: this process's). fds, still the
 * caller's, become its 4, 5, ...; -1 becomes /dev/null. */
int ces_relay_start(int netns, const int *fds, size_t n_fds, const struct ces_relay_job *job,
		    struct ces_relay *ret, struct ces_error *err);

/* Reads one report, whose texts have an end: 1; 0 when there is none now; -1 when there will be
 * none. flags: of recv(2). */
int ces_relay_receive(const struct ces_relay *relay, int flags, struct ces_relay_report *ret);

/* Waits ten seconds at most for the first report: the relay is confined. Call it before leaving
 * the host's tree, since the relay has to load libraries. -1 with the relay's own
 * words when it has given up. */
int ces_relay_wait(const struct ces_relay *relay, struct ces_relay_report *ret,
		   struct ces_error *err);

/* Waits in the same way until a relay is confined, if there is one. what: it carries, for an
 * error. */
int ces_relay_ready(const struct ces_relay *relay, const char *what, struct ces_error *err);

/* Ends the relay; does nothing when there is none. */
void ces_relay_end(struct ces_relay *relay);

#endif
