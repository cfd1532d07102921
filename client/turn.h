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
	uint64_t position; /* the last number that was shown */
};

void ces_turn_begin(struct ces_turn *turn, const struct ces_options *options);

/* Returns whether to wait after this refusal. If so, the ticket is in the request, and the user has
 * seen what they wait for. If not, the caller shows the refusal. */
bool ces_turn_take(struct ces_turn *turn, struct ces_options *options,
		   const struct ces_event_error *error);

/* Waits for a moment. False if a signal came (signals: its fd, or -1): *ret_signal. */
bool ces_turn_pause(int signals, int *ret_signal);

#endif
