/* The one file that calls openat2: every path is walked without following a symlink, a magic link
 * or "..". */
#ifndef CES_HELPER_CORE_BENEATH_H
#define CES_HELPER_CORE_BENEATH_H

#include <sys/types.h>

#include "common/error.h"

/* openat2(2) with RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS and O_CLOEXEC. path
 * is relative to dirfd (leading slashes are skipped when dirfd is the root directory). An fd, or -1
 * with errno. */
int ces_beneath_open(int dirfd, const char *path, int flags, mode_t mode);

/* Opens, or makes with mode 0700, a root-owned directory of CES's own and checks owner and mode on
 * the fd. */
int ces_beneath_own_dir(int dirfd, const char *path, int *ret, struct ces_error *err);

/* Calls each with every name in the directory but "." and "..". -1 with errno when not all of them
 * could be read: then what was not shown is not known to be absent. */
int ces_beneath_each(int dirfd, void (*each)(int dirfd, const char *name, void *), void *context);

#endif
