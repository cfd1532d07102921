/* Confines ces-resolve, and ces-layout, before they read a byte that comes from outside. */
#ifndef CES_HELPER_RESOLVE_SANDBOX_H
#define CES_HELPER_RESOLVE_SANDBOX_H

#include <stddef.h>

#include "common/error.h"

/* Leaves, for good, only reading and writing open fds, pipes, memory, exit, and the n system calls
 * of `also`. Any other call ends the process. It refuses to run as root or with a capability. */
int ces_resolve_confine(const int *also, size_t n, struct ces_error *err);

#endif
