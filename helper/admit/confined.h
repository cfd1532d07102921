/* Checks that SELinux confines CES, if the host has SELinux. */
#ifndef CES_HELPER_ADMIT_CONFINED_H
#define CES_HELPER_ADMIT_CONFINED_H

#include <stdbool.h>

#include "common/error.h"

/* Says whether contexts are to be set: SELinux is enabled and this program is in its domain.
 * Refuses (-1) if SELinux is enforcing but this program is in another domain, since nothing would
 * then confine the workers and the container. Refuses also if SELinux is enforcing but the policy
 * has another label than its own, since other domains could have written it; and, when required, if
 * SELinux is not enforcing. */
int ces_selinux_admit(bool required, bool *ret_on, struct ces_error *err);

#endif
