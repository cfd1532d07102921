/* Runs whose helper died, in a register and on the disk: what the suites of ces_finish_dead and
 * ces_kept_restore share. */
#ifndef CES_TESTS_UNIT_FINISH_DEAD_H
#define CES_TESTS_UNIT_FINISH_DEAD_H

#include "tests/unit/finish_scene.h"

#define OTHER "0000000002"

static char outputs[200], scratch[200];

static void begin(void)
{
	set_up();
	make_directory("o");
	make_directory("o/" RUN);
	make_directory("s");
	make_directory("s/" RUN);
	put("s/" RUN "/big", "0");
	(void)snprintf(outputs, sizeof(outputs), "%s/o/" RUN, directory_path);
	(void)snprintf(scratch, sizeof(scratch), "%s/s/" RUN, directory_path);
	noted->text[0] = '\0';
}

static struct ces_run_record record_of(const char *run, uid_t uid)
{
	static uint64_t gids[] = {4411, 4412};

	return (struct ces_run_record){.run = (char *)(uintptr_t)run,
				       .uid = uid,
				       .project = (char *)(uintptr_t) "p",
				       .image = grant.reference,
				       .digest = grant.digest,
				       .user = getuid(),
				       .group = getgid(),
				       .project_gids = {gids, 2}};
}

/* Enters a run. Its helper lives, or has died. */
static void enter(const struct ces_run_record *record, bool alive)
{
	int lock = -1, stop = -1;

	ck_assert_int_eq(ces_runs_enter(session.runs, record, &lock, &stop, &err), 0);
	close(stop);
	if (!alive)
		close(lock);
	noted->text[0] = '\0';
}

#define ENDED_FIRST(run, uid, user)                                                                \
	"the cgroup of " run " is cleared\n"                                                       \
	"record for good: {\"event\":\"end\",\"verb\":\"run\",\"uid\":" uid ",\"user\":\"" user    \
	"\",\"project\":\"p\",\"run\":\"" run "\",\"image\":\"ghcr.io/a/b:1\",\"digest\":\"" IMAGE \
	"\",\"status\":125,\"reason\":\"helper died\"}\n"
#define DETACHED                                                                                   \
	"starts a process with a mount namespace\n1800 seconds\ncloses the journal\n"              \
	"opens a journal of its own\n"
#define FORGOTTEN                                                                                  \
	"root removes /kept/" RUN "\n"                                                             \
	"root removes directory /runs/" RUN "\n"

#endif
