/* The list of a run's outputs, which ces-list makes inside the run's user namespace. */
#ifndef CES_HELPER_WATCH_LIST_H
#define CES_HELPER_WATCH_LIST_H

#include "common/list.h"
#include "helper/launch/container.h"
#include "helper/session/json.h"

/* Starts ces-list, which waits. *ret_channel: -1 when it could not be started, or has nothing to
 * list. */
void ces_list_start(const struct ces_plan *plan, const struct ces_container *container,
		    struct ces_process *ret, int *ret_channel);

/* After the run, when its files are the caller's: has them listed, and checked where the policy
 * asks for it. ret->state is CES_LIST_STATES where no answer came. */
void ces_list_take(int channel, const struct ces_plan *plan, struct ces_list_answer *ret);

/* Adds what came of it to the record of the end. */
void ces_list_record(const struct ces_list_answer *answer, struct ces_json *record);

#endif
