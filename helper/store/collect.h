/* Removes what nobody needs any more: staging of dead pulls, grants that are past their time, and
 * then images and layers that no grant, run or pull names. */
#ifndef CES_HELPER_STORE_COLLECT_H
#define CES_HELPER_STORE_COLLECT_H

#include "helper/store/store.h"

/* Collects, and returns when it is done. runs is an fd of /run/ces. */
void ces_collect(const struct ces_store *store, int runs);

/* Starts a process of its own that collects, and returns at once. */
void ces_collect_soon(const struct ces_store *store, int runs);

#endif
