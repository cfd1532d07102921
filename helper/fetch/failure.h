/* Says what went wrong, in one line for a researcher. */
#ifndef CES_FETCH_FAILURE_H
#define CES_FETCH_FAILURE_H

#include "helper/fetch/transfer.h"

/* For a request without a (whole) answer. It also returns whether another try makes sense. */
bool ces_failure_network(const struct ces_transfer *transfer, CURLcode result,
			 struct ces_error *ret);

/* For an answer that is not the requested thing. Also for a login that failed for good (401, 403):
 * CES_E_DENIED, from the registry or from its token server. */
void ces_failure_status(const struct ces_transfer *transfer, struct ces_error *ret);

#endif
