/* Cuts the rights of the host's root down to a named set. */
#ifndef CES_HELPER_CORE_CAPABILITY_H
#define CES_HELPER_CORE_CAPABILITY_H

#include <linux/capability.h>
#include <stdint.h>

#include "common/error.h"

#define CES_CAPABILITY(number) (1ull << (number))

/* Keeps those of these capabilities that the process has, and puts `effect`, a subset, into effect.
 * It is no error if the host has taken some away already. A program that root executes starts with
 * all of the bounding set again, unless no_new_privs is set: then it starts with the kept ones
 * (capabilities(7)). */
int ces_capability_keep(uint64_t kept, uint64_t effect, struct ces_error *err);

#endif
