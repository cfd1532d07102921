/* The one file that calls openat2: every path is walked without following a symlink, a magic link
 * or "..". */
#ifndef CES_HELPER_BENEATH_H
#define CES_HELPER_BENEATH_H

#include <stdbool.h>
#include <sys/types.h>

#include "common/error.h"
#include "helper/caller.h"
#include "helper/idmap.h"

/* openat2(2) with RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS and O_CLOEXEC. path
 * is relative to dirfd (leading slashes are skipped when dirfd is the root directory). An fd, or -1
 * with errno. */
int ces_beneath_open(int dirfd, const char *path, int flags, mode_t mode);

/* Opens (and, when create is set, makes, mode 0700) a directory at an absolute host path with the
 * *caller's* rights, so that a path the caller may not see answers as one that does not exist.
 * Refuses file systems that the caller may have made himself (FUSE) and those that are no place for
 * data. */
int ces_beneath_open_as(const struct ces_caller *caller, const char *path, bool create, int *ret,
			struct ces_error *err);

/* Opens what the caller binds: a directory, or a regular file, with the caller's rights. And a
 * directory that one of his containers gave to another of its users, as a database does with its
 * data: if map holds owner and group, root of the container, who is the caller, may open it. */
int ces_beneath_open_bind(const struct ces_caller *caller, const struct ces_idmap *map,
			  const char *path, bool *ret_file, int *ret, struct ces_error *err);

/* Opens, and makes with mode 1777, the directory name in dirfd, with the caller's rights. */
int ces_beneath_open_common(const struct ces_caller *caller, int dirfd, const char *name, int *ret,
			    struct ces_error *err);

/* Opens the directory that path is in, with the caller's rights. */
int ces_beneath_open_parent(const struct ces_caller *caller, const char *path, int *ret,
			    struct ces_error *err);

/* Opens, or makes with mode 0700, a root-owned directory of CES's own and checks owner and mode on
 * the fd. */
int ces_beneath_own_dir(int dirfd, const char *path, int *ret, struct ces_error *err);

/* Removes what is in the directory dirfd (not the directory itself): fd-relative, no symlink
 * followed, no mount crossed, iterative, so that depth costs no stack. 0, or -1 with errno; goes on
 * past what it cannot remove and then returns -1. */
int ces_beneath_empty(int dirfd);

/* Calls each with every name in the directory but "." and "..". -1 with errno when not all of them
 * could be read: then what was not shown is not known to be absent. */
int ces_beneath_each(int dirfd, void (*each)(int dirfd, const char *name, void *), void *context);

/* Removes name below dirfd, whatever it is. */
int ces_beneath_remove(int dirfd, const char *name);

/* Gives everything below dirfd (dirfd itself included) to uid:gid where it is not so already, by
 * the same walk. */
int ces_beneath_give(int dirfd, uid_t uid, gid_t gid);

#endif
