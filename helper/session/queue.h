/* Who waits for a place for a run (--wait), in order: /run/ces/.queue, a small table of root's.
 * Nobody waits in a process of root's: a client asks again, with the ticket that it was given, and
 * each time the policy is read and the run decided anew. A ticket that is not shown for
 * CES_QUEUE_MS is lost.
 *
 * All of it under the lock of the register. */
#ifndef CES_HELPER_SESSION_QUEUE_H
#define CES_HELPER_SESSION_QUEUE_H

#include <stdint.h>
#include <sys/types.h>

#define CES_QUEUE_MS 15000

struct ces_queue_wish {
	uid_t uid;
	const char *project; /* a name */
	uint64_t ticket;     /* as the caller shows it; 0: none */
	uint64_t gpus;       /* waited for; 0: a place among the caller's own runs in the project */
};

/* How many with an earlier ticket come before this wish: the caller's own who wait for the same,
 * and of those who wait for GPUs the ones that could have theirs now, of which `idle` are free. */
size_t ces_queue_before(int runs, const struct ces_queue_wish *wish, uint64_t idle);

/* Takes a ticket, or shows the one that there is: its number, or 0 when there is no room for it.
 * *ret_position: how many wait for the same before it, and itself. */
uint64_t ces_queue_wait(int runs, const struct ces_queue_wish *wish, uint64_t *ret_position);

/* The ticket was used, or is not needed any more. */
void ces_queue_leave(int runs, const struct ces_queue_wish *wish);

#endif
