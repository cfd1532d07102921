/* The live runs, /run/ces/<run>/record. */
#ifndef CES_HELPER_SESSION_RUNS_H
#define CES_HELPER_SESSION_RUNS_H

#include <stdbool.h>

#include "common/name.h"
#include "common/record.h"

/* Opens (makes) /run/ces. */
int ces_runs_open(int *ret, struct ces_error *err);

/* Ten random digits that no live run has. */
int ces_runs_name(int runs, char ret[CES_RUN_DIGITS + 1], struct ces_error *err);

/* Writes the record of a run and returns its locked fd: the lock is the sign of life. *ret_stop
 * can be read when somebody called ces_runs_stop: it then has the grace, see there. */
int ces_runs_enter(int runs, const struct ces_run_record *record, int *ret, int *ret_stop,
		   struct ces_error *err);

/* Adds to the record of a pull, of which entry is the fd, the image that it makes and the layers
 * that it counts on. */
int ces_runs_need(int entry, const char *digest, const struct ces_strings *layers,
		  struct ces_error *err);

/* Whether the helper of a run lives. */
bool ces_runs_alive(int runs, const char *run);

/* Asks the helper of a run to end it, and to kill what is left of it after so many seconds, which
 * are written as they are (uint32_t). A run that is gone is no error. */
int ces_runs_stop(int runs, const char *run, uint32_t grace, struct ces_error *err);

/* Forgets a run. */
void ces_runs_leave(int runs, const char *run);

/* Forgets of a run that has ended, and whose end is on record, all but what cleaning its
 * directories needs, which could not be done yet; also in kept, see kept.h. */
void ces_runs_keep(int runs, int kept, const char *run);

/* Enters a run of which nothing lives. */
int ces_runs_restore(int runs, const struct ces_run_record *record, struct ces_error *err);

/* Whether the record is of such a run. */
bool ces_runs_is_kept(const struct ces_run_record *record);

/* Calls each for every record; alive: its helper lives. -1 when the register could not be read, or
 * one: the one who goes by what is not there must not go on. */
int ces_runs_each(int runs, void (*each)(const struct ces_run_record *, bool alive, void *),
		  void *context);

/* The same for pulls under way, which are no runs to anybody but who clears after the dead. */
int ces_runs_each_pull(int runs, void (*each)(const struct ces_run_record *, bool alive, void *),
		       void *context);
#define CES_RUNS_PULL "pull-" /* then ten digits: the name of one */

#endif
