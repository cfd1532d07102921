/* The directories of a run: data, outputs, scratch and what the caller binds. */
#ifndef CES_HELPER_LAUNCH_PLACES_H
#define CES_HELPER_LAUNCH_PLACES_H

#include "helper/launch/plan.h"

/* Opens all of the plan's mounts, and makes them where the decision says so. Also opens the parents
 * of those that are removed again. After a failure the plan has what was opened before. */
int ces_places_open(struct ces_plan *plan, struct ces_error *err);

#endif
