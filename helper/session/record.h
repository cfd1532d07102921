/* The records of a request in the journal: its decision before the first effect, and its end. */
#ifndef CES_HELPER_SESSION_RECORD_H
#define CES_HELPER_SESSION_RECORD_H

#include "helper/session/session.h"

/* Appends the decision: allowed (why NULL) or refused. A run's record becomes durable while its
 * container starts (see helper/launch/run.c), every other at once. After an allowance
 * session->recorded is set. */
int ces_record_decision(struct ces_session *session, const struct ces_decision *decision,
			const char *run, const char *digest, const struct ces_strings *devices,
			const struct ces_error *why, struct ces_error *err);

/* Records the end of an allowed request that failed; a request that succeeds records its own end.
 * -1 if the journal did not take it. */
int ces_record_failure(const struct ces_session *session, const char *run,
		       const struct ces_error *why);

#endif
