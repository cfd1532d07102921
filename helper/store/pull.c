/* Runs a pull, from its admission to its grant. In between ces-resolve leads, and serve.c does what
 * it asks for. Must not read any byte from a registry.
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
#include "helper/store/collect.h"
#include "helper/store/quota.h"
#include "helper/store/serve.h"
#include "helper/watch/finish.h"

#define SETTLE_SECONDS 1800 /* for the disk, afterwards */

static int grant(struct ces_pull *pull, struct ces_error *err)
{
	const struct ces_decision *decision = pull->decision;
	struct ces_grant given = {
	    .reference = pull->reference,
	    .user = pull->session->caller.user,
	    .top_digest = pull->top_digest,
	    .digest = pull->digest,
	    .project = (char *)(uintptr_t)decision->project,
	    .size = pull->bytes,
	    .layers = pull->n,
	    .pulled = (uint64_t)time(NULL),
	    .retain = decision->retain == CES_RETAIN_TIME ? decision->retain_seconds : 0};

	return ces_store_write_grant(pull->store, pull->session->uid, &given, err);
}

static int record_end(const struct ces_session *session, const struct ces_pull *pull,
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
 * two: the pull's accounts are free for another. */
static void settle(const struct ces_pull *pull)
{
	const struct ces_strings diff_ids = {(char **)(uintptr_t)pull->diff_ids, pull->n};
	const struct ces_store own = {.dir = 3, .layers = 4};
	const int fds[] = {pull->store->dir, pull->store->layers};

	if (pull->up_to_date || !ces_process_detach(0))
		return;
	ces_process_arrange(fds, CES_COUNT(fds));
	(void)close_range(0, 2, 0);
	(void)prctl(PR_SET_NAME, "ces-settle");
	ces_deadline(SETTLE_SECONDS);
	ces_store_settle(&own, &diff_ids);
	_exit(0);
}

/* Drops the entry of a failed pull. Its layers in the store count for nobody, and without the entry
 * the collector removes them. */
void ces_pull_give_up(const struct ces_session *session)
{
	ces_runs_leave(session->runs, session->pull);
	ces_collect_soon(session, true);
}

static int work(struct ces_pull *pull, struct ces_error *err)
{
	const struct ces_strings none = {0};
	int result = ces_quota_check(pull->session, pull->reference, &none, &pull->left, err);

	if (result == 0)
		result = ces_unpacker_userns(pull->session, &pull->userns, err);
	if (result == 0)
		result = ces_fetcher_start(pull->session, pull->decision, &pull->fetcher, err);
	if (result == 0)
		result = ces_resolver_start(pull->session, pull->decision, pull->left,
					    &pull->fetcher, &pull->resolver, err);
	if (result == 0)
		result = ces_serve_pull(pull, err);
	ces_worker_stop(&pull->resolver);
	ces_worker_stop(&pull->fetcher);
	ces_cleanup_close(&pull->userns);
	return result == 0 ? grant(pull, err) : -1;
}

int ces_verb_pull(struct ces_session *session, const struct ces_decision *decision,
		  struct ces_error *err)
{
	static struct ces_pull pull;
	CES_CLEANUP_FD int entry = -1;
	struct ces_event_done done = {0};

	ces_finish_dead(session);
	if (admit(session, decision, &entry, err) < 0)
		return -1;
	ces_deadline(PULL_SECONDS);
	ces_collect_soon(session, true);
	pull = (struct ces_pull){.decision = decision,
				 .session = session,
				 .signers = &session->signers,
				 .store = &session->store,
				 .entry = entry,
				 .userns = -1,
				 .fetcher = CES_WORKER_NONE,
				 .resolver = CES_WORKER_NONE};
	ces_reference_format(&decision->image, pull.reference, sizeof(pull.reference));
	if (work(&pull, err) < 0)
		return -1;
	/* pulls that end at once could not see one another before; a failed one leaves no grant */
	if (ces_quota_check(session, pull.reference,
			    &(const struct ces_strings){pull.diff_ids, pull.n}, &pull.left,
			    err) < 0 ||
	    record_end(session, &pull, err) < 0) {
		(void)ces_store_remove_grant(&session->store, session->uid, pull.reference, NULL);
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
