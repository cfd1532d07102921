/* The first thing the helper does: make everything the caller left behind in the process known and
 * harmless. After it: fds 0-4 are what design section 6 says, nothing else is open, the environment
 * is empty, signals, timers, limits, scheduling and umask are the defaults, the process is root in
 * all three uids and gids, has no supplementary groups, a session of its own and a new session
 * keyring, and cannot be traced or dumped. */
#ifndef CES_HELPER_ENTRY_CLEANROOM_H
#define CES_HELPER_ENTRY_CLEANROOM_H

#include <sys/types.h>

#include "common/error.h"

/* *ret_uid: the caller's real uid, read once, before it is given up. On failure fds 0-4 may not be
 * usable; the caller of this function must then only exit (the text is for the event pipe, if fd 4
 * is one). */
int ces_cleanroom_enter(int argc, uid_t *ret_uid, struct ces_error *err);

#endif
