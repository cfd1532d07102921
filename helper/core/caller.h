/* The one place where root takes on the caller's rights to touch the caller's files. */
#ifndef CES_HELPER_CORE_CALLER_H
#define CES_HELPER_CORE_CALLER_H

#include "policy/decide.h"

/* Between enter and leave every file operation is checked with the caller's uid, gid and groups
 * (fsuid, so root-squashed file systems work and the caller gets no right to signal this process;
 * credentials(7)). Both are fatal when they fail: the process exits at once, since continuing with
 * unknown rights is worse. */
void ces_caller_enter(const struct ces_caller *caller);
void ces_caller_leave(void);

#endif
