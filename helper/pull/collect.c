/* Serves a collector. Must not keep a request waiting: a process of its own does it at a user's
 * request.
 *
 * Who controls what: ces-store decides what goes. It can remove nothing but what is in the store,
 * and finds out which images live runs and pulls have. */
#include "helper/pull/collect.h"

#include <sys/prctl.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "helper/core/deadline.h"
#include "helper/pull/steps.h"

/* The time to get its turn, and then the time to remove what it took out of its place. The next
 * collector removes the rest. */
#define COLLECT_SECONDS 1820

void ces_collect(struct ces_session *session, bool soon)
{
	static struct ces_store_order order;
	static struct ces_steps steps;
	struct ces_error ignored;

	order = (struct ces_store_order){.mode = CES_STORE_COLLECT, .soon = soon};
	ces_steps_begin(&steps, session, CES_TURN_COLLECT);
	if (ces_store_start(&session->store, &order, -1, &steps.worker, &ignored) == 0)
		(void)ces_steps_serve(&steps, &ignored);
	ces_steps_end(&steps);
}

/* Works on fds of its own. A lock belongs to the open file, which a fork shares, and a locked entry
 * of a run or a pull counts as alive. */
void ces_collect_soon(const struct ces_session *session)
{
	const struct ces_store *store = &session->store;
	const int fds[] = {store->layers, store->images, store->grants, store->staging,
			   store->trash,  store->locks,  session->runs};
	static struct ces_session own;

	if (!ces_process_detach(0))
		return;
	ces_process_arrange(fds, CES_COUNT(fds));
	(void)ces_process_forget(STDERR_FILENO);
	(void)prctl(PR_SET_NAME, "ces-collect");
	ces_deadline(COLLECT_SECONDS);
	own = (struct ces_session){
	    .host = session->host,
	    .runs = 9,
	    .store = {-1, -1, 3, 4, 5, 6, 7, 8, store->uid, store->gid},
	};
	ces_collect(&own, true);
	_exit(0);
}
