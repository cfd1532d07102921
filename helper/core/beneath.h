/* Opens and lists CES's own directories. */
#ifndef CES_HELPER_CORE_BENEATH_H
#define CES_HELPER_CORE_BENEATH_H

#include <fcntl.h>

#include "common/error.h"
#include "common/way.h"

/* The root directory, before a run's tree takes its place: the clean room makes it the working
 * directory, and nothing else changes that. */
#define CES_AT_ROOT AT_FDCWD

/* Opens, or makes with mode 0700, a root-owned directory of CES's own and checks owner and mode on
 * the fd. */
int ces_beneath_own_dir(int dirfd, const char *path, int *ret, struct ces_error *err);

/* Calls each with every name in the directory but "." and "..". Returns -1 with errno if it could
 * not read them all: a name that was not shown may then still exist. */
int ces_beneath_each(int dirfd, void (*each)(int dirfd, const char *name, void *), void *context);

#endif
