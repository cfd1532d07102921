/* Decides which pull fetches a layer when several want it. Each layer has a file,
 * /run/ces/.layer-<digest>: the pull that fetches locks it, and writes into it the bytes that have
 * come. Nobody depends on that pull: if it dies the lock is free, and if it is slow, for any
 * reason, the others do not wait for it. */
#ifndef CES_HELPER_STORE_CLAIM_H
#define CES_HELPER_STORE_CLAIM_H

#include <stdbool.h>
#include <stdint.h>

/* In each of these periods the other pull must fetch an eighth of the layer, or so many bytes; and
 * all of it in the last. */
#define CES_CLAIM_STALL_MS    15000
#define CES_CLAIM_STALL_BYTES (16u << 20)
#define CES_CLAIM_MOST_MS     600000

/* Zeroed, with fd -1: none. */
struct ces_claim {
	int fd;
	bool held;         /* by this process */
	uint64_t bytes;    /* the bytes that the other pull has fetched */
	uint64_t mark;     /* the same, when the other pull was last found to be fast enough */
	int64_t marked_at; /* of ces_now_ms */
	int64_t
	    began_at; /* the same, of the first wait: another's claim after another's is one wait */
};
#define CES_CLAIM_NONE ((struct ces_claim){.fd = -1})

/* Takes the claim and returns true if it is free. Else opens it, to be looked at. If it can do
 * neither, the layer is fetched without a claim: true, with no fd. digest is checked. */
bool ces_claim_take(int runs, const char *digest, struct ces_claim *claim);

/* Looks again at a claim that another pull holds. */
enum ces_claim_state {
	CES_CLAIM_WAIT,   /* nothing new */
	CES_CLAIM_MOVED,  /* claim->bytes has grown */
	CES_CLAIM_FREE,   /* the other let go of it, and this pull holds it now */
	CES_CLAIM_STALLED /* the other is too slow */
};
enum ces_claim_state ces_claim_look(int runs, const char *digest, uint64_t size,
				    struct ces_claim *claim);

/* Notes in the claim how far the fetch is. */
void ces_claim_note(const struct ces_claim *claim, uint64_t bytes);

/* Lets the claim go. */
void ces_claim_drop(int runs, const char *digest, struct ces_claim *claim);

#endif
