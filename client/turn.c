/* Waits for a place. It must not keep a helper alive meanwhile: each try is a request of its own,
 * decided by the policy of that moment. */
#include "client/turn.h"

#include <poll.h>

#include "client/say.h"
#include "client/signals.h"
#include "common/io.h"
#include "common/num.h"

#define PAUSE_MS 2000

void ces_turn_begin(struct ces_turn *turn, const struct ces_options *options)
{
	turn->position = 0;
	turn->until =
	    options->wait_for == 0 ? -1 : ces_now_ms() + (int64_t)options->wait_for * 1000;
}

bool ces_turn_take(struct ces_turn *turn, struct ces_options *options,
		   const struct ces_event_error *error)
{
	if (error->ticket == 0)
		return false;
	options->request.ticket = error->ticket;
	/* the last request does not ask to wait, which gives the ticket back */
	if (turn->until >= 0 && ces_now_ms() + PAUSE_MS >= turn->until)
		options->request.flags &= ~(uint64_t)CES_FLAG_WAIT;
	if (error->position != turn->position)
		ces_say("waiting, place %llu in the queue: %s", (unsigned long long)error->position,
			error->text != NULL ? error->text : "no place");
	turn->position = error->position;
	return true;
}

bool ces_turn_pause(int signals, int *ret_signal)
{
	struct pollfd fd = {.fd = signals, .events = POLLIN};

	*ret_signal = poll(&fd, 1, PAUSE_MS) > 0 ? ces_signals_next(signals) : 0;
	return *ret_signal == 0;
}
