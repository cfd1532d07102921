/* What root of the host may do, cut down to a named set. */
#ifndef CES_HELPER_CORE_CAPABILITY_H
#define CES_HELPER_CORE_CAPABILITY_H

#include <linux/capability.h>
#include <stdint.h>

#include "common/error.h"

#define CES_CAPABILITY(number) (1ull << (number))

/* Keeps these, of those that are there, and puts `effect`, a part, into effect; what the host has
 * taken away already is not missed. A program that root executes starts with all of the bounding
 * set again, unless no_new_privs is set: then with what was kept (capabilities(7)). */
int ces_capability_keep(uint64_t kept, uint64_t effect, struct ces_error *err);

#endif
