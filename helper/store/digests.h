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
	    failed; /* not all could be had: the one who goes by what is not in it must not go on */
};

void ces_digests_add(struct ces_digests *set, const char *digest);
void ces_digests_add_all(struct ces_digests *set, const struct ces_strings *digests);

/* After the last was added. Each is there once then. */
void ces_digests_sort(struct ces_digests *set);
bool ces_digests_has(const struct ces_digests *set, const char *hex);

#endif
