/* The output of a detached run whose keeper is gone: nobody reads it any more, and the run goes on.
 */
#ifndef CES_HELPER_WATCH_DRAIN_H
#define CES_HELPER_WATCH_DRAIN_H

#include <poll.h>
#include <stdbool.h>

#include "helper/core/caller.h"

struct ces_drain {
	int out[2];  /* read ends of the container's stdout and stderr, or -1 */
	bool orphan; /* this process is to read them */
};

/* Opens a second read end of fds 1 and 2, if the caller may read them, so that a write of the
 * container does not fail when the keeper goes. Not wanted, or not pipes: an empty drain. */
void ces_drain_open(struct ces_drain *drain, const struct ces_caller *caller, bool wanted);

/* What to poll for output i (0 or 1), and what to do with the result of poll. */
struct pollfd ces_drain_poll(const struct ces_drain *drain, int i);
void ces_drain_step(struct ces_drain *drain, short first, short second);

#endif
