/* Runs a pull, from its admission to its end on record. In between ces-resolve leads, ces-store has
 * the image, and steps.c does what that asks for. Must not read any byte from a registry.
 *
 * Who controls what: the caller controls the reference (already decided) and the credential, which
 * goes to ces-fetch and nowhere else. */
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/event.h"
#include "common/record.h"
#include "common/request.h"
#include "helper/core/deadline.h"
#include "helper/session/journal.h"
#include "helper/session/lock.h"
#include "helper/session/record.h"
#include "helper/session/report.h"
#include "helper/session/runs.h"
#include "helper/session/session.h"
#include "helper/pull/collect.h"
#include "helper/pull/steps.h"
#include "helper/watch/finish.h"

#define SETTLE_SECONDS 1800 /* for the disk, afterwards */

static int record_end(const struct ces_session *session, const struct ces_steps *pull,
		      struct ces_error *err)
{
	const struct ces_journal_subject about = {.uid = session->uid,
						  .user = session->caller.user,
						  .project = pull->decision->project,
						  .image = session->request->image,
						  .digest = pull->digest,
						  .run = session->pull};
	struct ces_json record =
	    ces_journal_end("pull", &about, 0, pull->up_to_date ? "up to date" : "pulled", 0, 0);

	ces_journal_signers(&record, &session->signers);
	return ces_journal_append(&session->journal, record, false, err);
}

struct count {
	uid_t uid;
	uint64_t n;
};

static void count_pull(const struct ces_run_record *record, bool alive, void *context)
{
	struct count *count = context;

	count->n += alive && record->uid == count->uid;
}

static int check_pulls(const struct ces_session *session, struct ces_error *err)
{
	struct count count = {.uid = session->uid};
	unsigned long long most = session->host->store.pulls;

	if (ces_runs_each(session->runs, CES_EACH_PULL, count_pull, &count) < 0)
		return ces_error_errno(err, CES_E_HOST, "reading the register of pulls");
	if (count.n < most)
		return 0;
	return ces_error_rule(err, CES_E_LIMIT, "host.user_limits.pulls",
			      "pulls under way: you have %llu, and may have %llu at once",
			      (unsigned long long)count.n, most);
}

/* Enters the pull in the register, so that its end is recorded even if its helper is killed: the
 * next helper sees an entry that nobody has locked. *ret stays open for that. */
static int enter(struct ces_session *session, const struct ces_decision *decision, int *ret,
		 struct ces_error *err)
{
	char number[CES_RUN_DIGITS + 1], name[sizeof(session->pull)];
	struct ces_run_record record = {.run = name,
					.uid = session->uid,
					.project = (char *)(uintptr_t)decision->project,
					.image = session->request->image,
					.started = (uint64_t)time(NULL)};
	CES_CLEANUP_FD int stop = -1; /* only its client asks a pull to stop */

	if (ces_runs_name(session->runs, number, err) < 0)
		return -1;
	(void)snprintf(name, sizeof(name), CES_RUNS_PULL "%s", number);
	if (ces_runs_enter(session->runs, &record, ret, &stop, err) < 0)
		return -1;
	memcpy(session->pull, name, sizeof(name));
	return 0;
}

/* Counts, records and enters the pull in one step, as for a run. The record reaches the disk
 * afterwards. */
static int admit(struct ces_session *session, const struct ces_decision *decision, int *ret,
		 struct ces_error *err)
{
	CES_CLEANUP_LOCK struct ces_lock lock = CES_LOCK_NONE;

	if (ces_lock_take(session->runs, 2 * CES_LOCK_SECONDS, &lock) < 0)
		return ces_error_errno(err, CES_E_HOST, "locking the runs");
	if (check_pulls(session, err) < 0 ||
	    ces_record_decision(session, decision, NULL, NULL, NULL, NULL, err) < 0 ||
	    enter(session, decision, ret, err) < 0)
		return -1;
	ces_lock_release(&lock);
	return fdatasync(session->journal.fd) < 0
		   ? ces_error_errno(err, CES_E_HOST, "the journal did not reach the disk")
		   : 0;
}

/* Settles the layers after the user has the answer. The disk may take its time, and nobody waits
 * for that: neither does the client wait for this process. So it keeps none of the pull's fds but
 * one: the pull's accounts are free for another. A process that was to settle them before may have
 * been killed with its caller's job: a pull that had nothing to fetch looks as well. */
static void settle(const struct ces_steps *pull)
{
	static struct ces_store_order order = {.mode = CES_STORE_SETTLE};
	static struct ces_session own = {.runs = -1, .store = CES_STORE_NONE};
	struct ces_steps steps;
	struct ces_error ignored;

	if (pull->settled || !ces_process_detach(0))
		return;
	own.store.uid = pull->store->uid;
	own.store.gid = pull->store->gid;
	own.store.layers = 3;
	order.n = pull->n;
	memcpy(order.layers, pull->layers, sizeof(order.layers));
	ces_process_arrange(&pull->store->layers, 1);
	(void)ces_process_forget(STDERR_FILENO);
	(void)prctl(PR_SET_NAME, "ces-settle");
	ces_deadline(SETTLE_SECONDS);
	ces_steps_begin(&steps, &own, CES_TURN_OTHER);
	if (ces_store_start(&own.store, &order, -1, &steps.worker, &ignored) == 0)
		(void)ces_steps_serve(&steps, &ignored);
	_exit(0);
}

/* Drops the entry of a failed pull. Its layers in the store count for nobody, and without the entry
 * the collector removes them. */
void ces_pull_give_up(const struct ces_session *session)
{
	ces_runs_leave(session->runs, session->pull);
	ces_collect_soon(session);
}

/* Gives ces-store what it must know of the decision. */
static void fill(const struct ces_session *session, const struct ces_decision *decision,
		 struct ces_store_order *order)
{
	const struct ces_policy_store *limits = &session->host->store;

	*order = (struct ces_store_order){
	    .mode = CES_STORE_PULL,
	    .uid = session->uid,
	    .images = limits->images,
	    .space = limits->space,
	    .reserve = limits->reserve,
	    .retain = decision->retain == CES_RETAIN_TIME ? decision->retain_seconds : 0};
	(void)snprintf(order->user, sizeof(order->user), "%s", session->caller.user);
	(void)snprintf(order->project, sizeof(order->project), "%s", decision->project);
	ces_reference_format(&decision->image, order->image, CES_REFERENCE_MAX);
	memcpy(order->named, decision->image.digest, sizeof(order->named));
	if (decision->signed_by.n > 0)
		ces_store_signed_name(&decision->image, order->signers);
}

int ces_verb_pull(struct ces_session *session, const struct ces_decision *decision,
		  struct ces_error *err)
{
	static struct ces_store_order order;
	static struct ces_steps pull;
	CES_CLEANUP_FD int entry = -1;
	struct ces_event_done done = {0};
	int result;

	ces_finish_dead(session);
	if (admit(session, decision, &entry, err) < 0)
		return -1;
	ces_deadline(PULL_SECONDS);
	ces_collect_soon(session);
	fill(session, decision, &order);
	ces_steps_begin(&pull, session, CES_TURN_BEGIN);
	pull.decision = decision;
	pull.entry = entry;
	result = ces_store_start(&session->store, &order, CES_FD_EVENT, &pull.worker, err);
	if (result == 0)
		result = ces_steps_serve(&pull, err);
	ces_steps_end(&pull);
	if (result == 0)
		result = record_end(session, &pull, err);
	if (result < 0) {
		if (pull.turn == CES_TURN_GRANT) /* whatever failed after that */
			ces_store_change_grant(&session->store, session->uid, order.image,
					       pull.digest, true);
		return -1;
	}
	ces_runs_leave(session->runs, session->pull);
	session->pull[0] = '\0';
	done.digest = pull.digest;
	done.up_to_date = pull.up_to_date;
	ces_report_send(&ces_event_done_schema, &done, true);
	settle(&pull);
	return 0;
}
