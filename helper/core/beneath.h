/* Directories of CES's own, opened and listed. */
#ifndef CES_HELPER_CORE_BENEATH_H
#define CES_HELPER_CORE_BENEATH_H

#include "common/error.h"
#include "common/way.h"

/* Opens, or makes with mode 0700, a root-owned directory of CES's own and checks owner and mode on
 * the fd. */
int ces_beneath_own_dir(int dirfd, const char *path, int *ret, struct ces_error *err);

/* Calls each with every name in the directory but "." and "..". -1 with errno when not all
 * could be read: then what was not shown is not known to be absent. */
int ces_beneath_each(int dirfd, void (*each)(int dirfd, const char *name, void *), void *context);

#endif
