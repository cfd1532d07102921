/* Turns ces-admit into ces-session. */
#ifndef CES_HELPER_ADMIT_HAND_OVER_H
#define CES_HELPER_ADMIT_HAND_OVER_H

#include "helper/core/order.h"

/* Copies the policy's settings for the machine into one flat struct. */
int ces_host_of(const struct ces_policy *policy, struct ces_host *ret, struct ces_error *err);

/* Put the request, which was decoded within its caps, and the caller into the order. Refuse a
 * caller who does not fit into it. */
void ces_order_request(struct ces_order *order, const struct ces_request *request);
int ces_order_caller(struct ces_order *order, const struct ces_caller *caller,
		     struct ces_error *err);

/* Executes ces-session on the order and what follows it. Returns only on failure. */
int ces_hand_over(const struct ces_order *order, const void *words, const void *policy,
		  struct ces_error *err);

#endif
