/* Decides which pull fetches a layer when several want it. Each layer has a file,
 * locks/layer-<digest> in the store: the pull that fetches locks it, and writes into it the bytes
 * that have come. Nobody depends on that pull: if it dies the lock is free, and if it is slow, for
 * any reason, the ces-resolve of another pull stops waiting for it (helper/resolve/patience.h). */
#ifndef CES_HELPER_STORE_CLAIM_H
#define CES_HELPER_STORE_CLAIM_H

#include <stdbool.h>
#include <stdint.h>

#define CES_CLAIM_PREFIX "layer-" /* of the file's name */

/* Zeroed, with fd -1: none. */
struct ces_claim {
	int fd;
	bool held; /* by this process */
};
#define CES_CLAIM_NONE ((struct ces_claim){.fd = -1})

/* Takes the claim and returns true if it is free. Else opens it, to be looked at. If it can do
 * neither, the layer is fetched without a claim: true, with no fd. digest is checked. */
bool ces_claim_take(int locks, const char *digest, struct ces_claim *claim);

/* Looks again at a claim that another pull holds. Returns true if that pull let go of it, and this
 * one holds it now. *ret_bytes: the bytes that the other has fetched. */
bool ces_claim_look(int locks, const char *digest, struct ces_claim *claim, uint64_t *ret_bytes);

/* Notes in the claim how far the fetch is. */
void ces_claim_note(const struct ces_claim *claim, uint64_t bytes);

/* Lets the claim go. */
void ces_claim_drop(int locks, const char *digest, struct ces_claim *claim);

#endif
