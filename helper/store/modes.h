/* What a ces-store can be started for. Each returns when it is done; -1 with the error for the
 * caller. */
#ifndef CES_HELPER_STORE_MODES_H
#define CES_HELPER_STORE_MODES_H

#include "helper/store/store.h"

typedef int ces_mode_fn(const struct ces_store_order *order, const struct ces_store *store,
			struct ces_error *err);
ces_mode_fn ces_mode_collect, ces_mode_list, ces_mode_inspect, ces_mode_remove;

/* *ret_end: bits of CES_END_*. */
int ces_mode_pull(const struct ces_store_order *order, const struct ces_store *store,
		  uint64_t *ret_end, struct ces_error *err);

#endif
