/* Changes an image made for root so that a user who keeps their uid (identity same-uid) can work in
 * it: a line in its /etc/passwd and /etc/group, and a working directory that they can write to. */
#ifndef CES_HELPER_LAUNCH_SETTLE_H
#define CES_HELPER_LAUNCH_SETTLE_H

#include "helper/launch/plan.h"

/* root: the directory of the helper's tmpfs in which the overlay is mounted at "m". Does nothing
 * for other identities. Where the image makes a step impossible (a link, a device, no such file),
 * everything stays as it is. */
void ces_settle(const struct ces_plan *plan, int userns, int root);

#endif
