/* What went wrong, in one line for a researcher. */
#ifndef CES_FETCH_FAILURE_H
#define CES_FETCH_FAILURE_H

#include "helper/fetch/transfer.h"

/* A request that got no (whole) answer. Says also whether another try makes sense. */
bool ces_failure_network(const struct ces_transfer *transfer, CURLcode result,
			 struct ces_error *ret);

/* An answer that is not the thing asked for. Also with the login exhausted (401,
 * 403): CES_E_DENIED, whichever of the registry and its token server said so. */
void ces_failure_status(const struct ces_transfer *transfer, struct ces_error *ret);

#endif
