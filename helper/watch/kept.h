/* The records of runs in /var/lib/ces/runs: what the register has in /run/ces, where a
 * reboot takes it away. */
#ifndef CES_HELPER_WATCH_KEPT_H
#define CES_HELPER_WATCH_KEPT_H

#include "common/record.h"
#include "helper/store/store.h"

/* Writes the record, or another in its place. *ret: to be synced before the run begins; NULL: it is
 * synced here. */
int ces_kept_write(const struct ces_store *store, const struct ces_run_record *record, int *ret,
		   struct ces_error *err);
void ces_kept_forget(const struct ces_store *store, const char *run);

/* Enters each run that the register does not have, dead, for the one who clears after the dead.
 * runs is an fd of /run/ces. */
void ces_kept_restore(const struct ces_store *store, int runs);

#endif
