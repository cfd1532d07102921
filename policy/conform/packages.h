/* The packages that an image says it has: Debian's /var/lib/dpkg/status, Alpine's
 * /lib/apk/db/installed. */
#ifndef CES_POLICY_CONFORM_PACKAGES_H
#define CES_POLICY_CONFORM_PACKAGES_H

#include "policy/conform/conform.h"

/* "debian" or "alpine" when the path (without a slash before it) is such a list, or NULL. */
const char *ces_packages_kind(const char *path);

/* The same path as a constant, for a path that is such a list. */
const char *ces_packages_path(const char *path);

/* Returns whether `path` is the list at `list`, or a directory above it. */
bool ces_packages_below(const char *list, const char *path);

/* Takes any bytes, and skips what it does not understand. *ret is released with the report. */
void ces_packages_read(const char *kind, const char *bytes, size_t length,
		       struct ces_conform_packages *ret);

#endif
