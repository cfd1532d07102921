/* A lock for which every user's request waits. */
#ifndef CES_HELPER_SESSION_LOCK_H
#define CES_HELPER_SESSION_LOCK_H

/* Takes the one lock on fd, and is killed if it holds it for longer than seconds: a caller to whom
 * their cgroup was delegated can freeze it with this process in it at any moment; a fatal signal
 * ends even a frozen process (cgroup-v2.rst, cgroup.freeze), and its locks go with it. There is no
 * moment at which the lock is held without that alarm. *ret_left: for ces_lock_release. -1 with
 * errno, ETIMEDOUT when it could not be had in a minute. */
int ces_lock_take(int fd, unsigned seconds, unsigned *ret_left);
void ces_lock_release(int fd, unsigned left);

#define CES_LOCK_SECONDS 5

#endif
