/* Hands the helper's events to the code that asked. */
#ifndef CES_CLIENT_LISTEN_H
#define CES_CLIENT_LISTEN_H

#include "client/session.h"
#include "common/event.h"

/* A function for each kind of event. With NULL nothing happens. */
struct ces_listener {
	void (*progress)(void *context, const struct ces_event_progress *event);
	void (*started)(void *context, const struct ces_event_started *event);
	void (*exited)(void *context, const struct ces_event_exited *event);
	void (*error)(void *context, const struct ces_event_error *event);
	void (*text)(void *context, const struct ces_event_text *event);
	void (*image)(void *context, const struct ces_event_image *event);
	void (*run)(void *context, const struct ces_event_run *event);
	void (*done)(void *context, const struct ces_event_done *event);
	/* The helper ended without an answer, or sent something unreadable. NULL: the client prints
	 * that. */
	void (*lost)(void *context, const struct ces_error *err);
};

/* Takes the next event. An event never comes in parts, so a readable pipe does not block. False:
 * that was the last. */
bool ces_listen(struct ces_session *session, const struct ces_listener *to, void *context);

/* Starts the helper, asks, and listens to the end. For requests that the helper answers at once. -1
 * with err if the helper could not be asked. The listener gets the answers, and a loss. */
int ces_listen_to(const char *helper, const struct ces_request *request,
		  const struct ces_listener *to, void *context, struct ces_error *err);

#endif
