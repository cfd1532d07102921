/* One decided request: main() makes it from the order, and the verbs read it. */
#ifndef CES_HELPER_SESSION_SESSION_H
#define CES_HELPER_SESSION_SESSION_H

#include "helper/core/order.h"
#include "helper/session/journal.h"
#include "helper/session/store.h"

/* The keys that have signed the image, by their names in the policy; digest: what they signed. */
struct ces_signers {
	size_t n;
	struct ces_signer {
		char name[CES_SIGNER_PATH];
		char key[CES_DIGEST_LENGTH + 1]; /* of the file's bytes */
		char digest[CES_DIGEST_LENGTH + 1];
	} v[CES_SIGNERS_MAX];
};

struct ces_session {
	uid_t uid;
	struct ces_caller caller;
	const struct ces_request *request; /* common/request.h; NULL: none could be read */
	const struct ces_host *host;
	struct ces_journal journal;
	bool selinux;  /* contexts are set, see helper/session/selinux.h */
	bool recorded; /* an allowed decision is in the journal: a failure after it is its end */
	char project[CES_NAME_MAX + 1]; /* of that decision */
	struct ces_signers signers;     /* where its rule wants signatures */
	int runs;                       /* fd of /run/ces */
	char pull[16];                  /* the entry there of the pull under way; "" if none */
	uint64_t ticket, position;      /* of a run that is to ask again; 0: it is refused */
	struct ces_store store;
};

/* The verbs. Each answers the client itself. If it returns -1 with err, main() sends the error.
 * Each returns 0 when the request was done; 1 with err if it failed and needs no record any more.
 */
int ces_verb_pull(struct ces_session *session, const struct ces_decision *decision,
		  struct ces_error *err);

/* Cleans up after a failed pull, after its end is on record. */
void ces_pull_give_up(const struct ces_session *session);
int ces_verb_run(struct ces_session *session, const struct ces_decision *decision,
		 const char *number, struct ces_error *err);
int ces_verb_images(struct ces_session *session, struct ces_error *err);
int ces_verb_remove(struct ces_session *session, struct ces_error *err);
int ces_verb_inspect(struct ces_session *session, struct ces_error *err);
int ces_verb_inspect_run(struct ces_session *session, struct ces_error *err);
int ces_verb_runs(struct ces_session *session, struct ces_error *err);
int ces_verb_stop(struct ces_session *session, struct ces_error *err);
int ces_verb_clean(struct ces_session *session, struct ces_error *err);

#endif
