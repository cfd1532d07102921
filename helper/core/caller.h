/* Looks up the caller in the user database. This is also the one place where root takes on their
 * rights, to touch their files. */
#ifndef CES_HELPER_CORE_CALLER_H
#define CES_HELPER_CORE_CALLER_H

#include "policy/decide.h"

/* Fills *ret from the user database by uid. Refuses uid 0 (container root would be host root), and
 * a uid without an entry. What *ret points to is static, and goes at the next call. */
int ces_caller_load(uid_t uid, struct ces_caller *ret, struct ces_error *err);

/* Between enter and leave the kernel checks every file operation with the caller's uid, gid and
 * groups (fsuid, so root-squashed file systems work and the caller gets no right to signal this
 * process; credentials(7)). A failure of either is fatal: the process exits at once, since
 * continuing with unknown rights is worse. */
void ces_caller_enter(const struct ces_caller *caller);
void ces_caller_leave(void);

#endif
