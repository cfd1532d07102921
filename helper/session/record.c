/* Writes decisions and failures into the journal. No record, no effect: a refusal that cannot be
 * recorded is still a refusal, but an allowance is not an allowance. */
#include "helper/session/record.h"

#include <stdio.h>

#include "common/paths.h"
#include "common/request.h"

int ces_record_decision(struct ces_session *session, const struct ces_decision *decision,
			const char *run, const char *digest, const struct ces_strings *devices,
			const struct ces_error *why, struct ces_error *err)
{
	struct ces_json record = ces_journal_decision(session, decision, run, digest, devices, why);

	ces_journal_signers(&record, &session->signers);
	if (why == NULL
		? ces_journal_append(&session->journal, record, false, err) < 0
		: ces_journal_append_denial(&session->journal, session->uid, record, err) < 0)
		return -1;
	session->recorded = why == NULL;
	if (why == NULL && decision != NULL)
		(void)snprintf(session->project, sizeof(session->project), "%s", decision->project);
	return 0;
}

int ces_record_failure(const struct ces_session *session, const char *run,
		       const struct ces_error *why)
{
	const struct ces_journal_subject about = {.uid = session->uid,
						  .user = session->caller.user,
						  .project = session->project,
						  .run = run,
						  .image = session->request->image};
	struct ces_error ignored;

	return ces_journal_append(
	    &session->journal,
	    ces_journal_end(session->request->verb == CES_VERB_RUN ? "run" : "pull", &about,
			    CES_EXIT_REFUSED, why->text, 0, 0),
	    false, &ignored);
}
