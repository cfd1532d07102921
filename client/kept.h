/* The files that are kept of a run, in the caller's own ~/.local/state/ces: <run>.json (who, what,
 * when, how it ended) and, of a detached run, its output: <run>.log, with <run>.log.1 before it.
 * The caller may change or remove all of it; nothing that matters to anyone else is read from
 * there. */
#ifndef CES_CLIENT_KEPT_H
#define CES_CLIENT_KEPT_H

#include <stdbool.h>
#include <stdint.h>

#include "common/error.h"
#include "common/event.h"
#include "common/name.h"
#include "common/request.h"

#define CES_KEPT_LOG_BYTES (8u << 20) /* a log's two files have at most this each */
#define CES_KEPT_RUNS      100        /* ended runs beyond these are forgotten, oldest first */

struct ces_kept {
	char run[CES_RUN_DIGITS + 1];
	char name[CES_RUN_NAME_MAX + 1]; /* or "" */
	char image[CES_REFERENCE_MAX + 1];
	char digest[CES_DIGEST_LENGTH + 1];
	char project[CES_NAME_MAX + 1];
	char outputs[4096];
	uint64_t started; /* seconds since 1970 */
	uint64_t ended;   /* 0: not, as far as is known here */
	int status;       /* the rest is set when it has ended */
	char reason[64];
	char text[512];   /* a line to show, or "" */
	char check[1024]; /* what a check of the outputs found, in one line, or "" */
	bool lost;        /* the log could not take all output */
	bool attached;    /* there is no log */
};

/* The directory. Without make, -1 with CES_E_NOTFOUND where there is none. */
int ces_kept_open(bool make, int *ret, struct ces_error *err);

/* Fill in what is known when a run starts, and when it has ended. */
void ces_kept_begin(struct ces_kept *kept, const struct ces_request *request,
		    const struct ces_event_started *started);
void ces_kept_end(struct ces_kept *kept, const struct ces_event_exited *exited);

int ces_kept_write(int dir, const struct ces_kept *kept, struct ces_error *err);

/* Finds a run by number, or the youngest of a name. False when there is none. */
bool ces_kept_find(int dir, const char *run, struct ces_kept *ret);

/* All, in no order. Skips files that do not read as those of ces_kept_write. */
void ces_kept_each(int dir, void (*each)(const struct ces_kept *, void *), void *context);

/* Opens a run's log, or the older half of it, or the file that has the times of either. Each line,
 * "OFFSET MILLISECONDS", says when the log was written from OFFSET on. Flags as openat(2). -1 with
 * errno. */
int ces_kept_log(int dir, const char *run, bool older, int flags);
int ces_kept_times(int dir, const char *run, bool older, int flags);

/* Makes the log the older half. */
void ces_kept_rotate(int dir, const char *run);

/* Forgets ended runs beyond CES_KEPT_RUNS. */
void ces_kept_prune(int dir);

#endif
