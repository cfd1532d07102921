/* Lists, shows and removes the caller's images: a ces-store does it, and answers the client. Must
 * not read the answer. */
#include <stdio.h>

#include "common/request.h"
#include "helper/core/fds.h"
#include "helper/pull/collect.h"
#include "helper/pull/steps.h"
#include "helper/session/report.h"

static int ask(struct ces_session *session, enum ces_store_mode mode, struct ces_error *err)
{
	static struct ces_store_order order;
	static struct ces_steps steps;
	int result;

	order = (struct ces_store_order){.mode = mode, .uid = session->uid};
	(void)snprintf(order.user, sizeof(order.user), "%s", session->caller.user ?: "");
	/* (one that is cut is too long for a reference) */
	if (session->request->image != NULL)
		(void)snprintf(order.image, sizeof(order.image), "%s", session->request->image);
	ces_steps_begin(&steps, session, CES_TURN_OTHER);
	result = ces_store_start(&session->store, &order, CES_FD_EVENT, &steps.worker, err);
	if (result == 0)
		result = ces_steps_serve(&steps, err);
	ces_steps_end(&steps);
	return result < 0 ? -1 : ces_report_done();
}

int ces_verb_images(struct ces_session *session, struct ces_error *err)
{
	return ask(session, CES_STORE_LIST, err);
}

int ces_verb_inspect(struct ces_session *session, struct ces_error *err)
{
	return ask(session, CES_STORE_INSPECT, err);
}

int ces_verb_remove(struct ces_session *session, struct ces_error *err)
{
	int result = ask(session, CES_STORE_REMOVE, err);

	if (result == 0)
		ces_collect_soon(session);
	return result;
}
