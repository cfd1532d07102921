/* A set of digests: gathered, sorted once, then asked. */
#ifndef CES_HELPER_STORE_DIGESTS_H
#define CES_HELPER_STORE_DIGESTS_H

#include <stdbool.h>

#include "common/wire.h"

/* Zeroed: empty. Released with free(v). */
struct ces_digests {
	char (*v)[65]; /* 64 hex digits each, which is also a name in the store */
	size_t n, size;
	bool
	    failed; /* some are missing: a process that goes by the absence of one must not go on */
};

void ces_digests_add(struct ces_digests *set, const char *digest);
void ces_digests_add_all(struct ces_digests *set, const struct ces_strings *digests);

/* Sorts the set after the last digest was added. Each digest is there once then. */
void ces_digests_sort(struct ces_digests *set);
bool ces_digests_has(const struct ces_digests *set, const char *hex);

#endif
