/* A lock for which every user's request waits. */
#ifndef CES_HELPER_SESSION_LOCK_H
#define CES_HELPER_SESSION_LOCK_H

struct ces_lock {
	int fd;        /* -1: none is held */
	unsigned left; /* of the alarm that was set before */
};
#define CES_LOCK_NONE                                                                              \
	{                                                                                          \
		-1, 0                                                                              \
	}

/* Takes the one lock on fd. An alarm kills the process if it holds the lock for longer than
 * seconds. The reason: a caller to whom their cgroup was delegated can freeze it, with this process
 * in it, at any moment. A fatal signal ends even a frozen process (cgroup-v2.rst, cgroup.freeze),
 * and its locks go with it. The process never holds the lock without that alarm. -1 with errno,
 * ETIMEDOUT if it did not get the lock in a minute. */
int ces_lock_take(int fd, unsigned seconds, struct ces_lock *ret);

/* Does nothing if no lock is held. */
void ces_lock_release(struct ces_lock *lock);

/* A lock that the end of its scope releases. Declare it after its fd, which is closed later. */
#define CES_CLEANUP_LOCK __attribute__((cleanup(ces_lock_release)))

#define CES_LOCK_SECONDS 5

#endif
