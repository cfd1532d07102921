/* Turns ces-admit into ces-session. */
#ifndef CES_HELPER_ADMIT_HAND_OVER_H
#define CES_HELPER_ADMIT_HAND_OVER_H

#include "helper/core/order.h"

/* Copies the policy's settings for the machine into one flat struct. */
int ces_host_of(const struct ces_policy *policy, struct ces_host *ret, struct ces_error *err);

/* Puts the caller into the order. Refuses a caller who does not fit into it. */
int ces_order_caller(struct ces_order *order, const struct ces_caller *caller,
		     struct ces_error *err);

/* Executes ces-session on the order and what follows it. Returns only on failure. */
int ces_hand_over(const struct ces_order *order, const void *words, const void *policy,
		  struct ces_error *err);

#endif
