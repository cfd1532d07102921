/* The register of live runs, /run/ces/<run>/record. */
#ifndef CES_HELPER_SESSION_RUNS_H
#define CES_HELPER_SESSION_RUNS_H

#include <stdbool.h>

#include "common/name.h"
#include "common/record.h"

/* Opens (makes) /run/ces. */
int ces_runs_open(int *ret, struct ces_error *err);

/* Makes a name of ten random digits that no live run has. */
int ces_runs_name(int runs, char ret[CES_RUN_DIGITS + 1], struct ces_error *err);

/* Writes the record of a run and returns its locked fd: the lock is the sign of life. *ret_stop can
 * be read when somebody called ces_runs_stop, and then has the grace, see there. */
int ces_runs_enter(int runs, const struct ces_run_record *record, int *ret, int *ret_stop,
		   struct ces_error *err);

/* Adds to the record of a pull, with entry as its fd, the image that the pull makes and the layers
 * that it counts on. */
int ces_runs_need(int entry, const char *digest, const struct ces_strings *layers,
		  struct ces_error *err);

/* Says whether the helper of a run lives. */
bool ces_runs_alive(int runs, const char *run);

/* Asks the helper of a run to end it, and to kill the rest of it after `grace` seconds. The number
 * is written as it is (uint32_t). A run that is gone is no error. */
int ces_runs_stop(int runs, const char *run, uint32_t grace, struct ces_error *err);

/* Forgets a run. */
void ces_runs_leave(int runs, const char *run);

/* Forgets an ended run, whose end is on record, except the data for cleaning its directories: the
 * cleaning could not be done yet. cgroup: its cgroup is still there, so it keeps this too, and the
 * devices that its processes may have open. Keeps the data also in kept, see kept.h. */
void ces_runs_keep(int runs, int kept, const char *run, bool cgroup);

/* Enters a run that has no live process. If this fails, the next helper tries again. */
void ces_runs_restore(int runs, const struct ces_run_record *record);

/* Says whether the record is of such a run. */
bool ces_runs_is_kept(const struct ces_run_record *record);

#define CES_RUNS_PULL "pull-" /* then ten digits: the name of a pull under way */
bool ces_runs_is_pull(const char *run);

/* Calls each for every record of these kinds; alive: its helper lives, or a process clears up after
 * it. Only code that clears up, or counts pulls, asks for pulls. ALONE: nobody else clears up a run
 * that is shown as dead, while it is shown. Returns -1 if the register, or one record,
 * could not be read: a caller that goes by the absence of a record must not go on. */
enum { CES_EACH_RUN = 1, CES_EACH_PULL = 2, CES_EACH_ALONE = 4 };
int ces_runs_each(int runs, unsigned which,
		  void (*each)(const struct ces_run_record *, bool alive, void *), void *context);

/* Says whether another live run of the user's has the same outputs. This run ends: from here on it
 * does not count for the others, so that of two runs that end at once one finds nobody. */
bool ces_runs_end_shared(int runs, const char *run, uid_t uid, const char *outputs);

#endif
