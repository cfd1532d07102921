/* Opening what a policy or a caller names, with the *caller's* rights, so that a path that he may
 * not see answers as one that does not exist. */
#ifndef CES_HELPER_CORE_CALLER_OPEN_H
#define CES_HELPER_CORE_CALLER_OPEN_H

#include <stdbool.h>

#include "helper/core/caller.h"
#include "helper/core/idmap.h"

/* Opens (and, when create is set, makes, mode 0700) a directory at an absolute host path with the
 * *caller's* rights, so that a path the caller may not see answers as one that does not exist.
 * Refuses file systems that the caller may have made himself (FUSE) and those that are no place for
 * data. */
int ces_caller_open(const struct ces_caller *caller, const char *path, bool create, int *ret,
		    struct ces_error *err);

/* Opens what the caller binds: a directory, or a regular file, with the caller's rights. And a
 * directory that one of his containers gave to another of its users, as a database does with its
 * data: if map holds owner and group, root of the container, who is the caller, may open it. */
int ces_caller_open_bind(const struct ces_caller *caller, const struct ces_idmap *map,
			 const char *path, bool *ret_file, int *ret, struct ces_error *err);

/* Opens, and makes with mode 1777, the directory name in dirfd, with the caller's rights. */
int ces_caller_open_common(const struct ces_caller *caller, int dirfd, const char *name, int *ret,
			   struct ces_error *err);

/* Opens the directory that path is in, with the caller's rights. */
int ces_caller_open_parent(const struct ces_caller *caller, const char *path, int *ret,
			   struct ces_error *err);

#endif
