/* Opens or makes the caller's directories for a run. */
#ifndef CES_HELPER_SESSION_CALLER_BIND_H
#define CES_HELPER_SESSION_CALLER_BIND_H

#include <stdbool.h>

#include "helper/core/caller.h"
#include "helper/session/idmap.h"

/* Opens a directory or a regular file that the caller binds, with the caller's rights. Opens also a
 * directory that one of their containers gave to another of its users, as a database does with its
 * data: if map holds owner and group, root of the container, who is the caller, may open it. */
int ces_caller_open_bind(const struct ces_caller *caller, const struct ces_idmap *map,
			 const char *path, bool *ret_file, int *ret, struct ces_error *err);

/* Opens, and makes with mode 1777, the directory name in dirfd, with the caller's rights. */
int ces_caller_open_common(const struct ces_caller *caller, int dirfd, const char *name, int *ret,
			   struct ces_error *err);

#endif
