/* The rights that ces-store gives up before it reads a foreign byte. */
#ifndef CES_HELPER_STORE_SANDBOX_H
#define CES_HELPER_STORE_SANDBOX_H

#include "common/error.h"

/* Leaves the process no capability, an empty root directory, and the system calls of its work with
 * the directories that it has. Any other call ends it. */
int ces_store_confine(struct ces_error *err);

#endif
