/* The files of a run in the caller's own ~/.local/state/ces: <run>.json (who, what, when, how it
 * ended) and, for a detached run, its output: <run>.log, with <run>.log.1 before it. The caller may
 * change or remove all of these. CES must read nothing there that matters to other users. */
#ifndef CES_CLIENT_KEPT_H
#define CES_CLIENT_KEPT_H

#include <stdbool.h>
#include <stdint.h>

#include "common/error.h"
#include "common/event.h"
#include "common/name.h"
#include "common/request.h"

#define CES_KEPT_LOG_BYTES (8u << 20) /* at most this in each of a log's two files */
#define CES_KEPT_RUNS      100        /* older ended runs are forgotten */

struct ces_kept {
	char run[CES_RUN_DIGITS + 1];
	char name[CES_RUN_NAME_MAX + 1]; /* or "" */
	char image[CES_REFERENCE_MAX + 1];
	char digest[CES_DIGEST_LENGTH + 1];
	char project[CES_NAME_MAX + 1];
	char outputs[4096];
	uint64_t started; /* seconds since 1970 */
	uint64_t ended;   /* 0: not yet, as far as is known here */
	int status;       /* what follows is set when it has ended */
	char reason[64];
	char text[512];   /* a line to show, or "" */
	char check[1024]; /* the result of the check of the outputs, in one line, or "" */
	bool lost;        /* the log does not have all output */
	bool attached;    /* there is no log */
	char host[256];   /* the machine that it runs on; "": not known */
	bool elsewhere;   /* that is not this machine: the helper here does not know the run */
	bool held;        /* not ended, and its keeper or client lives: the end will be noted */
	bool forsaken;    /* not ended, and surely nobody is left to note the end */
};

/* Opens the directory. Without `make`, returns -1 with CES_E_NOTFOUND if there is none. */
int ces_kept_open(bool make, int *ret, struct ces_error *err);

/* Fill in what is known when a run starts, and when it has ended. */
void ces_kept_begin(struct ces_kept *kept, const struct ces_request *request,
		    const struct ces_event_started *started);
void ces_kept_end(struct ces_kept *kept, const struct ces_event_exited *exited);

/* Writes what is known. On a full disk or at the end of a quota it uses the blocks that it took
 * when the run started: a run that fills its user's home would else lose how it ended. While a
 * process has *held open (-1 at first), others read that the end will be noted. */
int ces_kept_write(int dir, const struct ces_kept *kept, int *held, struct ces_error *err);

/* Finds a run by its number, or the youngest of a name. False if there is none. */
bool ces_kept_find(int dir, const char *run, struct ces_kept *ret);

/* Reads all, in no order. Skips files that ces_kept_write has not written. */
void ces_kept_each(int dir, void (*each)(const struct ces_kept *, void *), void *context);

/* Opens a run's log, or the older half of it, or the file with the times of either. Each line
 * there, "OFFSET MILLISECONDS", says when the log was written from OFFSET on; the first line ends
 * with the log's number, from 1. Flags as for openat(2). -1 with errno. */
int ces_kept_log(int dir, const char *run, bool older, int flags);
int ces_kept_times(int dir, const char *run, bool older, int flags);

/* Turns the log into the older half. */
void ces_kept_rotate(int dir, const char *run);

/* Forgets ended runs beyond CES_KEPT_RUNS, and runs as old whose end nobody will note. */
void ces_kept_prune(int dir);

#endif
