/* Locks for which every user's request waits. Must not be held during a wait. */
#include "helper/session/lock.h"

#include <errno.h>
#include <stdint.h>
#include <sys/file.h>
#include <unistd.h>

#include "common/io.h"

#define LOCK_WAIT_MS  60000
#define LOCK_TICK_US  200
#define LOCK_TICKS_US 5000

int ces_lock_take(int fd, unsigned seconds, struct ces_lock *ret)
{
	int64_t deadline = ces_now_ms() + LOCK_WAIT_MS;
	unsigned tick = LOCK_TICK_US;

	/* not by a flock that blocks: an alarm set after its return would come a moment too late */
	for (;;) {
		unsigned left = alarm(seconds);

		if (flock(fd, LOCK_EX | LOCK_NB) == 0) {
			*ret = (struct ces_lock){fd, left};
			return 0;
		}
		(void)alarm(left);
		if (errno != EWOULDBLOCK && errno != EINTR)
			return -1;
		if (ces_now_ms() > deadline) {
			errno = ETIMEDOUT;
			return -1;
		}
		(void)usleep(tick);
		tick = tick * 2 > LOCK_TICKS_US ? LOCK_TICKS_US : tick * 2;
	}
}

void ces_lock_release(struct ces_lock *lock)
{
	if (lock->fd < 0)
		return;
	(void)flock(lock->fd, LOCK_UN);
	(void)alarm(lock->left);
	lock->fd = -1;
}
