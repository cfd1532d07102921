/* Who calls: the uid that the kernel gave, looked up in the user database. */
#ifndef CES_HELPER_CORE_WHO_H
#define CES_HELPER_CORE_WHO_H

#include "policy/decide.h"

/* Fills *ret from the user database by uid. Refuses uid 0 (container root would be host root), and
 * a uid without an entry. Release with ces_caller_free. */
int ces_caller_load(uid_t uid, struct ces_caller *ret, struct ces_error *err);
void ces_caller_free(struct ces_caller *caller);

#endif
