/* The place of a run among the user's runs and the machine's devices. */
#ifndef CES_HELPER_LAUNCH_RESERVE_H
#define CES_HELPER_LAUNCH_RESERVE_H

#include "helper/watch/finish.h"

/* Counts, chooses, records and enters the run, in one step before all others. A run that lacks a
 * place and wants to wait gets a ticket in the session; the error is CES_E_LIMIT. Devices that a
 * dead run is giving back are waited for, for a moment. */
int ces_reserve(struct ces_session *session, struct ces_plan *plan, const struct ces_grant *grant,
		struct ces_finish *finish, struct ces_error *err);

#endif
