/* The records of runs in /var/lib/ces/runs. The register has the same in /run/ces, which a reboot
 * empties. */
#ifndef CES_HELPER_WATCH_KEPT_H
#define CES_HELPER_WATCH_KEPT_H

#include "common/record.h"
#include "helper/store/store.h"

/* Writes the record, or replaces it. *ret: to be synced before the run begins; NULL: the function
 * syncs it. */
int ces_kept_write(const struct ces_store *store, const struct ces_run_record *record, int *ret,
		   struct ces_error *err);
void ces_kept_forget(const struct ces_store *store, const char *run);

/* Enters, as dead, each run that the register does not have, for the helper that clears dead runs.
 * runs is an fd of /run/ces. */
void ces_kept_restore(const struct ces_store *store, int runs);

#endif
