/* Gives every phase of a request an end. */
#ifndef CES_HELPER_CORE_DEADLINE_H
#define CES_HELPER_CORE_DEADLINE_H

#include <unistd.h>

/* Kills the process when a phase takes longer than seconds (0: no limit). The default action of
 * SIGALRM kills even in a killable wait on a dead NFS or FUSE server; a handler would not run
 * there. An alarm outlives an exec (alarm(2)). */
static inline void ces_deadline(unsigned seconds)
{
	(void)alarm(seconds);
}

#endif
