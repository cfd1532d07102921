/* The records of runs in /var/lib/ces/runs. The register has the same in /run/ces, which a reboot
 * empties. */
#ifndef CES_HELPER_WATCH_KEPT_H
#define CES_HELPER_WATCH_KEPT_H

#include "helper/store/store.h"

/* Removes one. (A run's start writes it, and ces_runs_keep what is left to clean.) */
void ces_kept_forget(const struct ces_store *store, const char *run);

/* Enters, as dead, each run that the register does not have, for the helper that clears dead runs.
 * runs is an fd of /run/ces. */
void ces_kept_restore(const struct ces_store *store, int runs);

#endif
