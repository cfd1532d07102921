/* Which pull fetches a layer, when several want it: a file for each, /run/ces/.layer-<digest>, is
 * locked by the one that fetches, and has the bytes that have come. Nobody depends on that one:
 * when it dies the lock is free, and one that is slow, for whatever reason, is not waited for. */
#ifndef CES_HELPER_STORE_CLAIM_H
#define CES_HELPER_STORE_CLAIM_H

#include <stdbool.h>
#include <stdint.h>

/* In each of these the other must fetch an eighth of the layer, or so many bytes; and all of it in
 * the last. */
#define CES_CLAIM_STALL_MS    15000
#define CES_CLAIM_STALL_BYTES (16u << 20)
#define CES_CLAIM_MOST_MS     600000

/* Zeroed, with fd -1: none. */
struct ces_claim {
	int fd;
	bool held;         /* by this process */
	uint64_t bytes;    /* that the other has fetched */
	uint64_t mark;     /* the same, when it was last found to be fast enough */
	int64_t marked_at; /* of ces_now_ms */
	int64_t
	    began_at; /* the same, of the first wait: another's claim after another's is one wait */
};
#define CES_CLAIM_NONE ((struct ces_claim){.fd = -1})

/* Takes it, if it is free: true. Else opens it, to be looked at. Where neither can be done the
 * layer is fetched without: true, with no fd. digest is checked. */
bool ces_claim_take(int runs, const char *digest, struct ces_claim *claim);

/* Looks again at one that another holds. */
enum ces_claim_state {
	CES_CLAIM_WAIT,   /* nothing new */
	CES_CLAIM_MOVED,  /* claim->bytes has grown */
	CES_CLAIM_FREE,   /* it was let go, and is held now */
	CES_CLAIM_STALLED /* the other is too slow */
};
enum ces_claim_state ces_claim_look(int runs, const char *digest, uint64_t size,
				    struct ces_claim *claim);

/* Notes how far the fetch is. */
void ces_claim_note(const struct ces_claim *claim, uint64_t bytes);

/* Lets it go. */
void ces_claim_drop(int runs, const char *digest, struct ces_claim *claim);

#endif
