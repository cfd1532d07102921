/* Lists the caller's live runs, shows one, ends one. Must not say anything about anyone else's, and
 * must not signal a process: it asks the helper that supervises the run to end it, through a FIFO
 * in the run's own directory, which only root can reach. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/event.h"
#include "common/io.h"
#include "common/record.h"
#include "common/request.h"
#include "helper/core/deadline.h"
#include "helper/session/report.h"
#include "helper/session/runs.h"
#include "helper/session/session.h"
#include "helper/pull/collect.h"
#include "helper/watch/finish.h"

#define CLEAN_SECONDS 1800  /* directories of many users, some slow */
#define SCRATCH_MS    30000 /* for deleting a large scratch, after the grace */
#define SPARE_MS      20000 /* before its own deadline ends this process */
#define TICK_US       10000

struct search {
	uid_t uid;
	const char *wanted; /* number or name; NULL: all */
	bool report;
	char run[CES_RUN_DIGITS + 1]; /* the last run found; "" */
};

static void look(const struct ces_run_record *record, bool alive, void *context)
{
	struct search *search = context;
	struct ces_event_run event = {.run = record->run,
				      .name = record->name,
				      .image = record->image,
				      .digest = record->digest,
				      .project = record->project,
				      .started = record->started,
				      .outputs = record->outputs,
				      .ports = record->ports};

	if (!alive || ces_runs_is_kept(record) || record->uid != search->uid)
		return;
	if (search->wanted != NULL && strcmp(record->run, search->wanted) != 0 &&
	    (record->name == NULL || strcmp(record->name, search->wanted) != 0))
		return;
	(void)snprintf(search->run, sizeof(search->run), "%s", record->run);
	if (search->report)
		ces_report_send(&ces_event_run_schema, &event, true);
}

int ces_verb_runs(struct ces_session *session, struct ces_error *err)
{
	struct search all = {.uid = session->uid, .report = true};

	(void)err;
	(void)ces_runs_each(session->runs, CES_EACH_RUN, look, &all);
	return ces_report_done();
}

/* Gives the same answer for another user's run, a dead one and none at all. */
static int find(const struct ces_session *session, struct search *search, struct ces_error *err)
{
	search->uid = session->uid;
	search->wanted = session->request->run;
	if (search->wanted == NULL)
		return ces_error_set(err, CES_E_USAGE, "name a run; ces-client ps lists yours");
	(void)ces_runs_each(session->runs, CES_EACH_RUN, look, search);
	if (search->run[0] == '\0')
		return ces_error_set(err, CES_E_NOTFOUND,
				     "you have no live run %s; ces-client ps lists yours",
				     search->wanted);
	return 0;
}

int ces_verb_inspect_run(struct ces_session *session, struct ces_error *err)
{
	struct search search = {.report = true};

	return find(session, &search, err) < 0 ? -1 : ces_report_done();
}

/* A run's number is random and its directory goes with it: the directory waited for cannot become
 * another run's. */
static int wait_gone(int runs, const char *run, uint32_t grace, struct ces_error *err)
{
	int64_t deadline = ces_now_ms() + (int64_t)grace * 1000 + SCRATCH_MS;

	while (ces_runs_alive(runs, run)) {
		if (ces_now_ms() > deadline)
			return ces_error_set(
			    err, CES_E_LIMIT,
			    "run %s is ending, and CES is still cleaning up after it", run);
		(void)usleep(TICK_US);
	}
	return 0;
}

int ces_verb_stop(struct ces_session *session, struct ces_error *err)
{
	struct search search = {0};
	uint32_t grace;

	if (find(session, &search, err) < 0)
		return -1;
	if (session->request->time_seconds > CES_GRACE_MAX)
		return ces_error_set(err, CES_E_USAGE, "a run gets at most %us to end",
				     CES_GRACE_MAX);
	grace = (uint32_t)session->request->time_seconds;
	ces_deadline(grace + (SCRATCH_MS + SPARE_MS) / 1000);
	/* if the run ended in between, that is what was asked for */
	if (ces_runs_stop(session->runs, search.run, grace, err) < 0 ||
	    wait_gone(session->runs, search.run, grace, err) < 0)
		return -1;
	return ces_report_done();
}

/* Any start clears the dead runs that it finds; this verb is for a machine on which nobody starts
 * anything. The kernel says who is asking: else a user could make root walk everybody's directories
 * at will. */
int ces_verb_clean(struct ces_session *session, struct ces_error *err)
{
	if (session->uid != 0)
		return ces_error_set(err, CES_E_USAGE,
				     "clean is for root (the janitor); when you start a run, CES "
				     "removes what your runs left");
	ces_deadline(CLEAN_SECONDS);
	ces_finish_all_dead(session, false);
	ces_journal_flush(&session->journal);
	ces_collect(session, false);
	/* the slowest last: users may go on filling what is to be emptied */
	ces_finish_all_dead(session, true);
	return ces_report_done();
}
