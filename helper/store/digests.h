/* A set of digests, each once. */
#ifndef CES_HELPER_STORE_DIGESTS_H
#define CES_HELPER_STORE_DIGESTS_H

#include <stdbool.h>

#include "common/wire.h"

/* Zeroed: empty. */
struct ces_digests {
	void
	    *root; /* of tsearch(3): the 64 hex digits of each, which is also a name in the store */
	bool
	    failed; /* some are missing: a process that goes by the absence of one must not go on */
};

/* Returns whether the set has it only now. */
bool ces_digests_add(struct ces_digests *set, const char *digest);
void ces_digests_add_all(struct ces_digests *set, const struct ces_strings *digests);
bool ces_digests_has(const struct ces_digests *set, const char *hex);
void ces_digests_free(struct ces_digests *set);

#endif
