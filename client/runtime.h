/* The words of an OCI runtime that started no program. */
#ifndef CES_CLIENT_RUNTIME_H
#define CES_CLIENT_RUNTIME_H

#include "client/kept.h"

/* Completes the end of such a run: its text is the event's (common/event.h). It puts the runtime's
 * own message in place of its log. A missing command, or one that cannot be executed, gets the
 * status that a shell would give. */
void ces_runtime_word(struct ces_kept *kept);

#endif
