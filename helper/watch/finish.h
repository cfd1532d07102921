/* Ends a run: removes everything made for it, in the reverse order, and records the end. */
#ifndef CES_HELPER_WATCH_FINISH_H
#define CES_HELPER_WATCH_FINISH_H

#include "common/record.h"
#include "helper/launch/ports.h"
#include "helper/session/clean.h"
#include "helper/watch/supervise.h"

struct ces_finish {
	struct ces_plan *plan;
	const struct ces_grant *grant;
	int record; /* locked directory of the run */
	int stop;   /* readable when the run is to end; or -1 */
	struct ces_cgroup cgroup;
	struct ces_container container;
	struct ces_ports ports;
	struct ces_relay outward;
	struct ces_process list; /* ces-list */
	int list_channel;
	struct ces_cleaner cleaner;
	struct ces_end end;
};

/* result < 0: setting up failed with err, nothing ran. Otherwise reports the exit to the client.
 * Records the end before it forgets the run. Returns 0, or 1 with err: the end is on record, or
 * left to the next helper. */
int ces_finish(struct ces_finish *finish, int result, struct ces_error *err);

/* Cleans up after runs whose helper died: their processes, cgroups, records; another process cleans
 * their directories. Writes their end into the journal. Cheap when there is none. */
void ces_finish_dead(struct ces_session *session);

/* Does the same for every user's runs, here and now: for the janitor, for whom nobody waits. kept:
 * instead it cleans what is kept, which may take long. */
void ces_finish_all_dead(struct ces_session *session, bool kept);

#endif
