/* What ces-resolve gives up before it reads a byte that comes from outside. */
#ifndef CES_HELPER_RESOLVE_SANDBOX_H
#define CES_HELPER_RESOLVE_SANDBOX_H

#include "common/error.h"

/* For good: reading and writing what is open, pipes, memory, and its end. Any other system call
 * ends it. Refuses to run as root or with a capability. */
int ces_resolve_confine(struct ces_error *err);

#endif
