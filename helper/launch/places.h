/* The directories of a run: data, outputs, scratch and what the caller binds. */
#ifndef CES_HELPER_LAUNCH_PLACES_H
#define CES_HELPER_LAUNCH_PLACES_H

#include "helper/launch/plan.h"

/* Opens, and makes where the decision says so, all of the plan's mounts and the parents of those
 * that go again. What was opened before a failure is in the plan. */
int ces_places_open(struct ces_plan *plan, struct ces_error *err);

#endif
