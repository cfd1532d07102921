/* ces-helper, setuid root: the ordered steps from a caller to an answer, and nothing else.
 *
 * clean room -> request -> policy -> who -> facts -> decision -> record -> the verb. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/io.h"
#include "common/paths.h"
#include "helper/core/cleanroom.h"
#include "helper/core/facts.h"
#include "helper/core/record.h"
#include "helper/core/report.h"
#include "helper/core/request.h"
#include "helper/core/runs.h"
#include "helper/core/selinux.h"
#include "helper/launch/rootfs.h"

#define REQUEST_MS     10000
#define DECIDE_SECONDS 30

static int load_policy(struct ces_session *session, struct ces_error *err)
{
	CES_CLEANUP_FREE char *bytes = NULL;
	size_t length;

	if (ces_policy_read(CES_POLICY_PATH, &bytes, &length, err) < 0)
		return -1;
	if (ces_policy_parse(bytes, length, &session->policy, err) < 0)
		return ces_error_context(err, "the policy %s", CES_POLICY_PATH);
	if (!session->policy->audit_syslog)
		ces_cleanup_close(&session->journal.syslog);
	return 0;
}

static int open_state(struct ces_session *session, struct ces_error *err)
{
	return ces_runs_open(&session->runs, err) < 0 ? -1 : ces_store_open(&session->store, err);
}

static int explain(const struct ces_session *session, const struct ces_decision *decision)
{
	struct ces_event_done done = {0};

	ces_decision_explain(&session->caller, decision, ces_report_text, NULL);
	ces_report_send(&ces_event_done_schema, &done, true);
	return 0;
}

static int pull_or_run(struct ces_session *session, const struct ces_decision *decision,
		       struct ces_error *err)
{
	char run[CES_RUN_DIGITS + 1] = "";
	int result;

	if ((session->request.flags & CES_FLAG_EXPLAIN) != 0)
		return explain(session, decision);
	/* the private mount namespace comes first: the store's fds could not be mounted in a later
	 * one */
	if (decision->verb == CES_VERB_RUN && ces_rootfs_unshare(err) < 0)
		return -1;
	if (open_state(session, err) < 0)
		return -1;
	if (decision->verb == CES_VERB_RUN && ces_runs_name(session->runs, run, err) < 0)
		return -1;
	if (decision->verb == CES_VERB_RUN)
		result = ces_verb_run(session, decision, run, err);
	else
		result = ces_verb_pull(session, decision, err);
	if (result < 0 && session->recorded)
		ces_record_failure(session, run, err);
	if (session->pull[0] != '\0')
		ces_runs_leave(session->runs, session->pull);
	return result;
}

static int decide(struct ces_session *session, struct ces_error *err)
{
	struct ces_decision decision;
	struct ces_facts facts;
	int result = ces_facts_gather(session->policy, &session->caller, &facts, err);

	if (result < 0)
		return -1;
	result = ces_decide(session->policy, &session->caller, &session->request, &facts,
			    time(NULL), &decision, err);
	ces_facts_free(&facts);
	if (result < 0)
		return -1;
	result = pull_or_run(session, &decision, err);
	return result;
}

static int dispatch(struct ces_session *session, struct ces_error *err)
{
	switch (session->request.verb) {
	case CES_VERB_PULL:
	case CES_VERB_RUN:
		return decide(session, err);
	case CES_VERB_IMAGES:
		return open_state(session, err) < 0 ? -1 : ces_verb_images(session, err);
	case CES_VERB_REMOVE:
		return open_state(session, err) < 0 ? -1 : ces_verb_remove(session, err);
	case CES_VERB_INSPECT:
		if (open_state(session, err) < 0)
			return -1;
		return session->request.run != NULL ? ces_verb_inspect_run(session, err)
						    : ces_verb_inspect(session, err);
	/* what is asked of the register alone needs no store */
	case CES_VERB_RUNS:
		return ces_runs_open(&session->runs, err) < 0 ? -1 : ces_verb_runs(session, err);
	case CES_VERB_STOP:
		return ces_runs_open(&session->runs, err) < 0 ? -1 : ces_verb_stop(session, err);
	default:
		return ces_error_set(err, CES_E_USAGE, "this version of CES cannot do that");
	}
}

/* From the first byte of the request on; every failure is one record and one answer. */
static int serve(struct ces_session *session, struct ces_error *err)
{
	int got = ces_wire_receive(CES_FD_REQUEST, &ces_request_schema, CES_WIRE_REQUEST_MAX,
				   ces_now_ms() + REQUEST_MS, &session->request, err);

	if (got == 0)
		return ces_error_set(err, CES_E_USAGE, "no request came");
	if (got < 0)
		return -1;
	/* a wish this version does not know must not be left out in silence */
	if ((session->request.flags & ~(uint64_t)CES_FLAG_ALL) != 0)
		return ces_error_set(err, CES_E_USAGE, "malformed request: unknown flag");
	ces_cleanroom_deadline(DECIDE_SECONDS);
	if (load_policy(session, err) < 0 ||
	    ces_selinux_admit(session->policy->selinux == CES_SELINUX_REQUIRED, &session->selinux,
			      err) < 0)
		return -1;
	/* the one thing that root asks: it has no home and no project to be looked up */
	if (session->request.verb == CES_VERB_CLEAN)
		return open_state(session, err) < 0 ? -1 : ces_verb_clean(session, err);
	if (ces_caller_load(session->uid, &session->caller, err) < 0)
		return -1;
	return dispatch(session, err);
}

/* The request may hold a token: it is wiped. */
static void end_session(struct ces_session *session)
{
	ces_wire_free(&ces_request_schema, &session->request);
	ces_caller_free(&session->caller);
	ces_policy_free(session->policy);
	ces_store_close(&session->store);
}

int main(int argc, char **argv)
{
	struct ces_session session = {
	    .runs = -1, .journal = CES_JOURNAL_NONE, .store = {-1, -1, -1, -1, -1, -1, -1}};
	struct ces_error err = {0}, unrecorded;

	(void)argv; /* the caller's: never a name, a path or a message */
	if (ces_cleanroom_enter(argc, &session.uid, &err) < 0 ||
	    ces_journal_open(&session.journal, &err) < 0) {
		ces_report_error(&err, NULL);
		return CES_EXIT_REFUSED;
	}
	if (serve(&session, &err) == 0) {
		end_session(&session);
		return 0;
	}
	if (!session.recorded &&
	    ces_record_decision(&session, NULL, NULL, NULL, NULL, &err, &unrecorded) < 0)
		ces_error_context(&err, "%s", unrecorded.text);
	/* where a rule of the policy decided, the one to ask is whoever speaks for it */
	ces_report_error(
	    &err, err.rule[0] != '\0' && session.policy != NULL ? session.policy->contact : NULL);
	end_session(&session);
	return CES_EXIT_REFUSED;
}
