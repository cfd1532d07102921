/* The caller's live runs, as the helper reports them. */
#ifndef CES_CLIENT_LIVE_H
#define CES_CLIENT_LIVE_H

#include "client/session.h"
#include "common/event.h"
#include "common/name.h"

/* Asks the helper for the live runs. -1: it failed, and the user has seen why. */
int ces_live_each(void (*each)(const struct ces_event_run *, void *), void *context);

/* Returns whether a run lives, by its number or name; ret gets its number. 1, 0, or -1 as above; if
 * `quiet`, the user has not seen why. */
int ces_live_find(const char *run, bool quiet, char ret[CES_RUN_DIGITS + 1]);

#endif
