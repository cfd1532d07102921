/* Starts the collector, a ces-store that removes what nobody needs any more. */
#ifndef CES_HELPER_PULL_COLLECT_H
#define CES_HELPER_PULL_COLLECT_H

#include "helper/session/session.h"

/* Collects, and returns when it is done. soon: the collector waits for its turn, unless another one
 * waits already. */
void ces_collect(struct ces_session *session, bool soon);

/* Starts a process of its own that collects, and returns at once. */
void ces_collect_soon(const struct ces_session *session);

#endif
