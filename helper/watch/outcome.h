/* What the caller reads about a run: that it began, and how it ended. */
#ifndef CES_HELPER_WATCH_OUTCOME_H
#define CES_HELPER_WATCH_OUTCOME_H

#include "helper/watch/supervise.h"

/* began: a program was executed. If none was, the report of the end says why. */
void ces_outcome_started(const struct ces_plan *plan, bool began);

/* Reads what the runtime said before it gave up, into *end: nothing, where a program ran well. */
void ces_outcome_read_log(const struct ces_plan *plan, struct ces_end *end);

void ces_outcome_exited(const struct ces_plan *plan, const struct ces_end *end);

#endif
