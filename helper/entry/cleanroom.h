/* The first step of the helper: makes everything that the caller left in the process known and
 * harmless. Afterwards fds 0-4 are pipes or ptys, 0-2 perhaps /dev/null, and nothing else is open.
 * The environment is empty; signals, timers, limits, scheduling and umask are the defaults. The
 * process is root in all three uids and gids, has no supplementary groups, a session of its own and
 * a new session keyring, and cannot be traced or dumped. */
#ifndef CES_HELPER_ENTRY_CLEANROOM_H
#define CES_HELPER_ENTRY_CLEANROOM_H

#include <sys/types.h>

#include "common/error.h"

/* *ret_uid: the caller's real uid, read once, before the process gives it up. On failure fds 0-4
 * may not be usable, and the calling function must only exit (the text is for the event pipe, if fd
 * 4 is one). */
int ces_cleanroom_enter(int argc, uid_t *ret_uid, struct ces_error *err);

#endif
