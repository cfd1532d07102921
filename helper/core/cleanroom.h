/* The first thing the helper does: make everything the caller left behind in the process known and
 * harmless. After it: fds 0-4 are what design section 6 says, nothing else is open, the environment
 * is empty, signals, timers, limits, scheduling and umask are the defaults, the process is root in
 * all three uids and gids, has no supplementary groups, a session of its own and a new session
 * keyring, and cannot be traced or dumped. */
#ifndef CES_HELPER_CORE_CLEANROOM_H
#define CES_HELPER_CORE_CLEANROOM_H

#include <sys/types.h>

#include "common/error.h"

#define CES_FD_REQUEST 3
#define CES_FD_EVENT   4

/* *ret_uid: the caller's real uid, read once, before it is given up. On failure fds 0-4 may not be
 * usable; the caller of this function must then only exit (the text is for the event pipe, if fd 4
 * is one). */
int ces_cleanroom_enter(int argc, uid_t *ret_uid, struct ces_error *err);

/* Kills the process when a phase takes longer than seconds (0: no limit). The default action of
 * SIGALRM is fatal even in a killable wait on a dead NFS or FUSE server, which no handler would be.
 */
void ces_cleanroom_deadline(unsigned seconds);

/* Takes the one lock on fd, for which every user's request waits, and is killed if it holds it for
 * longer than seconds: a caller to whom his cgroup was delegated can freeze it with the helper in
 * it at any moment; a fatal signal ends even a frozen process (cgroup-v2.rst, cgroup.freeze), and
 * its locks go with it. There is no moment at which the lock is held without that alarm. *ret_left:
 * for ces_cleanroom_unlock. -1 with errno, ETIMEDOUT when it could not be had in a minute. */
int ces_cleanroom_lock(int fd, unsigned seconds, unsigned *ret_left);
void ces_cleanroom_unlock(int fd, unsigned left);

#define CES_LOCK_SECONDS 5

#endif
