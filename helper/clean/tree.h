/* Works on everything below a directory: fd-relative, no symlink followed, no mount crossed,
 * iterative, so that depth costs no stack. */
#ifndef CES_HELPER_CLEAN_TREE_H
#define CES_HELPER_CLEAN_TREE_H

#include <sys/types.h>

/* The walk has one open directory a level. This bounds its descriptors (ces-unpack caps images at
 * less). */
#define CES_TREE_LEVELS    512
#define CES_TREE_DISCARDED 0710
#define CES_TREE_FCHMODAT2 452 /* fchmodat2(2), which some headers lack */

/* Removes the content of the directory dirfd (not the directory itself): fd-relative, no symlink
 * followed, no mount crossed, iterative, so that depth costs no stack. Gives its owner all rights
 * to a directory that lacks some. Goes on past an entry that it cannot remove. Returns 0, or -1
 * with errno if an entry stayed. */
int ces_tree_empty(int dirfd);

/* The same, but gives each directory below dirfd the mode CES_TREE_DISCARDED before anything in it
 * goes. */
int ces_tree_discard(int dirfd);

/* Gives everything below dirfd (dirfd itself included) to uid:gid, unless they have it already, by
 * the same walk. Takes the setuid and setgid bits from files; a directory keeps its setgid bit.
 * shared: where dirfd has this group, what has it too keeps it; 0: no such group. */
int ces_tree_chown(int dirfd, uid_t uid, gid_t gid, gid_t shared);

/* Lets everybody read what is below dirfd, and dirfd, by the same walk. */
int ces_tree_share(int dirfd);

#endif
