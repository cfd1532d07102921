/* Has directories handed over or emptied. Must not look into one, nor wait without a deadline.
 *
 * Who controls what: the caller and the container control everything in a directory, also during
 * the walk, and may have taken ces-clean over by it. Its answer is one byte, and nothing is decided
 * by it alone: what must be gone is removed by root as an empty directory. The user namespace and
 * the two mounts are this process's own. Nobody can put another mount into them, or lead out of
 * them. */
#include "helper/session/clean.h"

#include <sys/socket.h>

#include "common/cleanup.h"
#include "common/io.h"
#include "helper/session/idmap.h"
#include "helper/session/mounts.h"

#define TASK_MS 600000

static int mount_of(int dir, bool stored, int userns, int *ret)
{
	struct ces_error ignored;

	return dir < 0 ? 0 : ces_mount_clone(dir, false, stored ? userns : -1, ret, &ignored);
}

/* Its real, effective and saved uid is nobody's from its first moment. A caller who could stop or
 * kill it could keep the files that it removes, or hold up the process that waits for it. */
void ces_cleaner_start(int userns, const struct ces_clean_job *owner, int outputs, int scratch,
		       bool stored, struct ces_cleaner *ret)
{
	int pair[2] = {-1, -1}, fds[3] = {-1, -1, -1};
	struct ces_spawn how = {.path = CES_CLEAN_PATH,
				.uid = ces_idmap_other(owner->user),
				.gid = owner->group,
				.userns = userns,
				.netns = -1,
				.fds = fds,
				.n_fds = CES_COUNT(fds),
				.capabilities = CES_CLEAN_CAPABILITIES};
	struct ces_error ignored;

	if (mount_of(outputs, stored, userns, &fds[0]) == 0 &&
	    mount_of(scratch, stored, userns, &fds[1]) == 0 &&
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0) {
		fds[2] = pair[1];
		ret->channel = pair[0];
		(void)send(pair[0], owner, sizeof(*owner), MSG_NOSIGNAL);
		(void)ces_spawn_worker(&how, &ret->process, &ignored);
	}
	for (size_t i = 0; i < CES_COUNT(fds); i++)
		ces_cleanup_close(&fds[i]);
}

int ces_cleaner_ask(struct ces_cleaner *cleaner, enum ces_clean_task task)
{
	unsigned char byte = (unsigned char)task;

	if (send(cleaner->channel, &byte, 1, MSG_NOSIGNAL) == 1 &&
	    ces_read_full(cleaner->channel, &byte, 1, ces_now_ms() + TASK_MS) == 0)
		return byte == 0 ? 0 : -1;
	ces_cleaner_end(cleaner);
	return -1;
}

void ces_cleaner_end(struct ces_cleaner *cleaner)
{
	ces_cleanup_close(&cleaner->channel);
	(void)ces_process_end(&cleaner->process, true);
}
