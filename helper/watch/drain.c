/* Reads the output that nobody else will read, and drops it. Must not read a byte while the keeper
 * lives: the keeper keeps the log.
 *
 * Who controls what: the caller chose the pipes, and may keep, fill or close any end. The only
 * effect is that this process reads, and drops, more or less. It opens the pipes with the caller's
 * own rights: others read a FIFO that the caller may only write to. */
#include "helper/watch/drain.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "helper/core/order.h"

#define CHUNK 65536
#define PAUSE_US                                                                                   \
	1000 /* between chunks: output at full speed must not cost a cpu outside the cgroup */

void ces_drain_open(struct ces_drain *drain, const struct ces_caller *caller, bool wanted)
{
	struct stat st;
	char path[32];

	*drain = (struct ces_drain){{-1, -1}, false};
	for (int i = 0; wanted && i < 2; i++) {
		(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", STDOUT_FILENO + i);
		if (fstat(STDOUT_FILENO + i, &st) < 0 || !S_ISFIFO(st.st_mode))
			continue;
		ces_caller_enter(caller);
		drain->out[i] = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
		ces_caller_leave();
	}
}

/* The keeper reads the event pipe as long as it lives: poll reports POLLERR without being asked. */
struct pollfd ces_drain_poll(const struct ces_drain *drain, int i)
{
	if (drain->orphan)
		return (struct pollfd){.fd = drain->out[i], .events = POLLIN};
	return (struct pollfd){.fd = i == 0 && drain->out[0] >= 0 ? CES_FD_EVENT : -1};
}

static void forget(int *fd)
{
	static char bytes[CHUNK];

	/* end of file: no writer is left */
	if (read(*fd, bytes, sizeof(bytes)) == 0)
		ces_cleanup_close(fd);
}

void ces_drain_step(struct ces_drain *drain, short first, short second)
{
	if (!drain->orphan) {
		drain->orphan = (first & POLLERR) != 0;
		return;
	}
	if (first != 0)
		forget(&drain->out[0]);
	if (second != 0)
		forget(&drain->out[1]);
	if ((first | second) != 0)
		(void)usleep(PAUSE_US);
}
