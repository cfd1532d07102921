/* Removes what nobody needs any more: staging of dead pulls, grants that are past their time, and
 * then images and layers that no grant, run or pull names. */
#ifndef CES_HELPER_STORE_COLLECT_H
#define CES_HELPER_STORE_COLLECT_H

#include "helper/session/session.h"

/* Collects, and returns when it is done. empties: it also removes what was taken out of its place.
 * The process that watches a run cannot, since that takes a program: the next one does. */
void ces_collect(const struct ces_session *session, bool empties);

/* Starts a process of its own that collects, and returns at once. */
void ces_collect_soon(const struct ces_session *session, bool empties);

#endif
