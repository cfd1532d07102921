/* What an image made for root needs so that one who keeps their uid is at home in it (identity
 * same-uid): a line in its /etc/passwd and /etc/group, and a working directory that they can write
 * to. */
#ifndef CES_HELPER_LAUNCH_SETTLE_H
#define CES_HELPER_LAUNCH_SETTLE_H

#include "helper/launch/plan.h"

/* root: the directory of the helper's tmpfs in which the overlay is mounted at "m". Nothing to do
 * for other identities. What the image makes impossible (a link, a device, no such file) is left as
 * it is. */
void ces_settle(const struct ces_plan *plan, int userns, int root);

#endif
