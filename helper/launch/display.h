/* The caller's X display in a container, where the policy allows it: the socket of that one
 * display. */
#ifndef CES_HELPER_LAUNCH_DISPLAY_H
#define CES_HELPER_LAUNCH_DISPLAY_H

#include "helper/launch/plan.h"

/* Opens the socket with the caller's rights, and adds it to the mounts. Takes only a socket that
 * belongs to the caller or to root. Does nothing without a display. */
int ces_display_open(struct ces_plan *plan, struct ces_error *err);

#endif
