/* Opens paths that a policy or a caller names, with the *caller's* rights. A path that they may not
 * see answers as one that does not exist. */
#ifndef CES_HELPER_CORE_CALLER_OPEN_H
#define CES_HELPER_CORE_CALLER_OPEN_H

#include <stdbool.h>

#include "helper/core/caller.h"

/* Opens a directory at an absolute host path with the *caller's* rights, so that a path that the
 * caller may not see answers as one that does not exist. ret_parent, unless NULL: the directory
 * that it is in, which is opened first. create: makes a missing one there, with mode 0700. Refuses
 * file systems that the caller may have made themselves (FUSE) and those that are no place for
 * data. */
int ces_caller_open(const struct ces_caller *caller, const char *path, bool create, int *ret_parent,
		    int *ret, struct ces_error *err);

/* Reports a path that did not open, by errno. If it did open, fd becomes *ret. */
int ces_caller_opened(const char *path, int fd, int *ret, struct ces_error *err);

#endif
