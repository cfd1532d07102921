/* Becoming ces-session. */
#ifndef CES_HELPER_ENTRY_HAND_OVER_H
#define CES_HELPER_ENTRY_HAND_OVER_H

#include "helper/core/order.h"

/* What the policy says of the machine, flat. */
int ces_host_of(const struct ces_policy *policy, struct ces_host *ret, struct ces_error *err);

/* Into the order: the request, which was decoded within its caps, and the caller; a caller whom it
 * has no room for is refused. */
void ces_order_request(struct ces_order *order, const struct ces_request *request);
int ces_order_caller(struct ces_order *order, const struct ces_caller *caller,
		     struct ces_error *err);

/* Executes ces-session on the order and what follows it. Returns only when that failed. */
int ces_hand_over(const struct ces_order *order, const void *words, const void *policy,
		  struct ces_error *err);

#endif
