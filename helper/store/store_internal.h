/* Shared by the files of the store. */
#ifndef CES_HELPER_STORE_STORE_INTERNAL_H
#define CES_HELPER_STORE_STORE_INTERNAL_H

#include "helper/store/store.h"

/* The 64 hex digits of a valid digest; "invalid" of any other text. */
const char *ces_store_hex(const char *digest);

/* Moves a thing out of its place at once, to be removed when there is time: it goes to this
 * directory of the store. Returns whether it is out. */
#define CES_STORE_TRASH "trash"
bool ces_store_discard(const struct ces_store *store, int parent, const char *name);

#endif
