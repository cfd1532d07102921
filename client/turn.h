/* Waiting for a place (run --wait): the helper gives a ticket, and the client asks again with it.
 */
#ifndef CES_CLIENT_TURN_H
#define CES_CLIENT_TURN_H

#include <stdbool.h>
#include <stdint.h>

#include "client/options.h"
#include "common/event.h"

struct ces_turn {
	int64_t until;     /* of ces_now_ms; -1: for ever */
	uint64_t position; /* that was said last */
};

void ces_turn_begin(struct ces_turn *turn, const struct ces_options *options);

/* Whether this refusal is one to wait after: then the ticket is in the request, and the user has
 * heard what they wait for. Else it is to be shown. */
bool ces_turn_take(struct ces_turn *turn, struct ces_options *options,
		   const struct ces_event_error *error);

/* Waits a moment. False when a signal came (of signals, or -1): *ret_signal. */
bool ces_turn_pause(int signals, int *ret_signal);

#endif
