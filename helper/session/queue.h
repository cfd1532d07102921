/* The queue for a place for a run (--wait), in order: /run/ces/.queue, a small table of root's. No
 * process of root's waits for a caller: a client asks again with its ticket, and each time the
 * policy is read and the run decided anew. A ticket that is not shown for CES_QUEUE_MS is lost.
 *
 * All of it is done under the lock of the register. */
#ifndef CES_HELPER_SESSION_QUEUE_H
#define CES_HELPER_SESSION_QUEUE_H

#include <stdint.h>
#include <sys/types.h>

#define CES_QUEUE_MS 15000

struct ces_queue_wish {
	uid_t uid;
	const char *project; /* a name */
	uint64_t ticket;     /* as the caller shows it; 0: none */
	uint64_t gpus;    /* to wait for; 0: a place among the caller's own runs in the project */
	uint64_t devices; /* of these GPUs, see ces_gpus_count */
};

/* Counts the earlier tickets that come before this wish: the caller's own tickets for the same
 * place, and among the tickets for GPUs those that could be served now from the `idle` free GPUs,
 * which are this set of devices. */
size_t ces_queue_before(int runs, const struct ces_queue_wish *wish, uint64_t idle, uint64_t set);

/* Takes a ticket, or shows the one that exists; if the wish has changed, the ticket gets a new
 * number. Returns its number, or 0 if there is no room for it. *ret_position: how many wait for the
 * same before it, and itself. */
uint64_t ces_queue_wait(int runs, const struct ces_queue_wish *wish, uint64_t *ret_position);

/* Removes a ticket that was used, or is not needed any more. */
void ces_queue_leave(int runs, const struct ces_queue_wish *wish);

#endif
