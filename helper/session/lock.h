/* A lock for which every user's request waits. */
#ifndef CES_HELPER_SESSION_LOCK_H
#define CES_HELPER_SESSION_LOCK_H

/* Takes the one lock on fd. An alarm kills the process if it holds the lock for longer than
 * seconds. The reason: a caller to whom their cgroup was delegated can freeze it, with this process
 * in it, at any moment. A fatal signal ends even a frozen process (cgroup-v2.rst, cgroup.freeze),
 * and its locks go with it. The process never holds the lock without that alarm. *ret_left: for
 * ces_lock_release. -1 with errno, ETIMEDOUT if it did not get the lock in a minute. */
int ces_lock_take(int fd, unsigned seconds, unsigned *ret_left);
void ces_lock_release(int fd, unsigned left);

#define CES_LOCK_SECONDS 5

#endif
