/* Work on all that is below a directory: fd-relative, no symlink followed, no mount crossed,
 * iterative, so that depth costs no stack. */
#ifndef CES_HELPER_SESSION_TREE_H
#define CES_HELPER_SESSION_TREE_H

#include <sys/types.h>

/* Removes what is in the directory dirfd (not the directory itself): fd-relative, no symlink
 * followed, no mount crossed, iterative, so that depth costs no stack. 0, or -1 with errno; goes on
 * past what it cannot remove and then returns -1. */
int ces_tree_empty(int dirfd);

/* Removes name below dirfd, whatever it is. */
int ces_tree_remove(int dirfd, const char *name);

/* Gives everything below dirfd (dirfd itself included) to uid:gid where it is not so already, by
 * the same walk. */
int ces_tree_chown(int dirfd, uid_t uid, gid_t gid);

#endif
