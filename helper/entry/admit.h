/* SELinux, where the host has it: is CES confined by it? */
#ifndef CES_HELPER_ENTRY_ADMIT_H
#define CES_HELPER_ENTRY_ADMIT_H

#include <stdbool.h>

#include "common/error.h"

/* Whether contexts are to be set: SELinux is enabled and this program is in its domain. Refused
 * (-1) where it is enforcing but this program is in another domain, so that the workers and the
 * container would not be confined, or the policy has another label than its own, so that other
 * domains could have written it; and, when required, where it is not enforcing. */
int ces_selinux_admit(bool required, bool *ret_on, struct ces_error *err);

#endif
