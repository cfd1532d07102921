/* Waits for news of a run: its keeper's files change, or, without a keeper, the helper no longer
 * lists it. */
#ifndef CES_CLIENT_FOLLOW_H
#define CES_CLIENT_FOLLOW_H

#include <stdint.h>

#include "client/kept.h"

struct ces_follow {
	int dir;    /* not owned; or -1 */
	int notify; /* inotify of the directory, or -1 */
	char run[CES_RUN_DIGITS + 1];
	int pause_ms; /* until the helper is asked next; grows */
	int failures; /* questions in a row that the helper did not answer */
	int64_t ask_at;
};
#define CES_FOLLOW_NONE                                                                            \
	{                                                                                          \
		-1, -1, "", 0, 0, 0                                                                \
	}

void ces_follow_start(struct ces_follow *follow, int dir, const char *run);

/* Waits until there may be news. 1: the run goes on; 0: it has ended, and ret holds what is known
 * (ended 0: not known; on another machine it may also run on); -1: the helper has failed for a
 * minute, and the user has seen why. The first call does not wait if the end is known. */
int ces_follow_next(struct ces_follow *follow, struct ces_kept *ret);

void ces_follow_end(struct ces_follow *follow);

#endif
