/* Locks for which every user's request waits. Must not be held during a wait. */
#include "helper/session/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/file.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/io.h"

#define LOCK_WAIT_MS  60000
#define LOCK_TICK_US  200
#define LOCK_TICKS_US 5000

int ces_lock_take(int fd, unsigned seconds, struct ces_lock *ret)
{
	int64_t deadline = ces_now_ms() + LOCK_WAIT_MS;
	unsigned tick = LOCK_TICK_US;
	CES_CLEANUP_FD int own = -1;
	char path[32];

	/* A lock belongs to the open file. A child that was forked before has that file too, and
	 * may be frozen: with an open file of its own, the lock ends with this process. A directory
	 * needs no /proc for that: ces-store has none. */
	own = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (own < 0)
		own = open(path, (fcntl(fd, F_GETFL) & O_ACCMODE) | O_CLOEXEC);

	/* not by a flock that blocks: an alarm set after its return would come a moment too late */
	while (ces_now_ms() <= deadline) {
		unsigned left = alarm(seconds);

		if (flock(own, LOCK_EX | LOCK_NB) == 0) {
			*ret = (struct ces_lock){ces_steal_fd(&own), left};
			return 0;
		}
		(void)alarm(left);
		if (errno != EWOULDBLOCK && errno != EINTR)
			return -1;
		(void)usleep(tick);
		tick = tick * 2 > LOCK_TICKS_US ? LOCK_TICKS_US : tick * 2;
	}
	errno = ETIMEDOUT;
	return -1;
}

void ces_lock_release(struct ces_lock *lock)
{
	if (lock->fd < 0)
		return;
	ces_cleanup_close(&lock->fd);
	(void)alarm(lock->left);
}
