/* Waits for a run's end or output. The keeper's files answer at once. The helper is asked only now
 * and then, in case there is no keeper. */
#include "client/follow.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/wait.h>
#include <unistd.h>

#include "client/live.h"
#include "common/cleanup.h"
#include "common/io.h"

#define FIRST_MS 200
#define LAST_MS  10000
#define FAILURES 10 /* in a row: these take more than a minute */

void ces_follow_start(struct ces_follow *follow, int dir, const char *run)
{
	char path[40];

	follow->dir = dir;
	(void)snprintf(follow->run, sizeof(follow->run), "%s", run);
	follow->pause_ms = FIRST_MS;
	follow->ask_at = ces_now_ms() + FIRST_MS;
	follow->notify = dir < 0 ? -1 : inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", dir);
	if (follow->notify >= 0 &&
	    inotify_add_watch(follow->notify, path, IN_MODIFY | IN_CREATE | IN_MOVED_TO) < 0)
		ces_cleanup_close(&follow->notify);
}

static bool has_ended(const struct ces_follow *follow, struct ces_kept *ret)
{
	return follow->dir >= 0 && ces_kept_find(follow->dir, follow->run, ret) && ret->ended != 0;
}

/* The helper also refuses while root writes the policy, or while nobody answers who the caller is.
 * That passes, and a script may have waited for days. */
static int ask_helper(struct ces_follow *follow)
{
	char run[CES_RUN_DIGITS + 1];
	int live = ces_live_find(follow->run, follow->failures + 1 < FAILURES, run);

	follow->failures = live < 0 ? follow->failures + 1 : 0;
	return live < 0 && follow->failures < FAILURES ? 1 : live;
}

/* The helper forgets a run before its keeper has noted the end, and does not know the runs of
 * another machine. There only the keeper's lock says that a run goes on. */
static int ask(struct ces_follow *follow, struct ces_kept *ret)
{
	int live = ret->elsewhere ? 0 : ask_helper(follow);

	/* (in a day a waiting client would ask thousands of helpers) */
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
	follow->pause_ms = follow->pause_ms * 2 > LAST_MS ? LAST_MS : follow->pause_ms * 2;
	follow->ask_at = ces_now_ms() + follow->pause_ms;
	if (live != 0 || has_ended(follow, ret))
		return live;
	if (ret->held)
		return 1;
	/* (a file system without locks: a living keeper gets a moment) */
	(void)poll(NULL, 0, FIRST_MS);
	(void)has_ended(follow, ret);
	return 0;
}

int ces_follow_next(struct ces_follow *follow, struct ces_kept *ret)
{
	struct pollfd changed = {.fd = follow->notify, .events = POLLIN};
	char events[4096];
	int64_t left;

	if (has_ended(follow, ret))
		return 0;
	left = follow->ask_at - ces_now_ms();
	if (left > 0 && poll(&changed, 1, (int)left) > 0) {
		(void)!read(follow->notify, events, sizeof(events));
		return has_ended(follow, ret) ? 0 : 1;
	}
	return left <= 0 ? ask(follow, ret) : 1;
}

void ces_follow_end(struct ces_follow *follow)
{
	ces_cleanup_close(&follow->notify);
}
