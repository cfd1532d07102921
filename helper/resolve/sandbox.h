/* Confines ces-resolve before it reads a byte that comes from outside. */
#ifndef CES_HELPER_RESOLVE_SANDBOX_H
#define CES_HELPER_RESOLVE_SANDBOX_H

#include "common/error.h"

/* Leaves, for good, only reading and writing open fds, pipes, memory, and exit. Any other system
 * call ends the process. Refuses to run as root or with a capability. */
int ces_resolve_confine(struct ces_error *err);

#endif
