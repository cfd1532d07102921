/* Confines ces-layout before it reads a byte that is not root's. */
#ifndef CES_LAYOUT_SANDBOX_H
#define CES_LAYOUT_SANDBOX_H

#include "common/error.h"

/* Leaves, for good, the files below the directory dir to read (where the kernel has Landlock; -1:
 * none), the fds that are open, and what ces-resolve may do. Any other system call ends the
 * process. */
int ces_layout_confine(int dir, struct ces_error *err);

#endif
