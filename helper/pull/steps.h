/* Root's side of a ces-store: the steps that it asks for (helper/store/step.h). */
#ifndef CES_HELPER_PULL_STEPS_H
#define CES_HELPER_PULL_STEPS_H

#include "helper/pull/workers.h"
#include "helper/store/step.h"

#define CES_STAGED_MAX 3 /* layers that a pull unpacks at once */

/* When a step may be asked for; one bit each. */
enum ces_turn {
	CES_TURN_BEGIN = 1, /* of a pull, from here */
	CES_TURN_LOOK = 2,
	CES_TURN_SIGN = 4, /* where the rule wants signatures */
	CES_TURN_CONFIGURE = 8,
	CES_TURN_FETCH = 16,
	CES_TURN_GRANT = 128, /* to here: a grant of this pull may be there */
	CES_TURN_COLLECT = 32,
	CES_TURN_OTHER = 64 /* of the modes that need no step */
};

/* A layer that is being unpacked. */
struct ces_staged {
	char name[CES_STEP_NAME + 1];        /* "": none */
	char diff_id[CES_DIGEST_LENGTH + 1]; /* that its ces-unpack checks */
	int own;                             /* root's directory in it */
	struct ces_unpacker unpacker;
	bool whole; /* ces-unpack has unpacked and verified it */
};

struct ces_steps {
	struct ces_session *session;
	const struct ces_store *store; /* the session's */
	enum ces_turn turn;
	struct ces_worker worker; /* ces-store */
	bool done;
	/* of a pull */
	const struct ces_decision *decision;
	int entry;  /* its entry in the register of runs and pulls; the fd */
	int userns; /* of the unpackers */
	struct ces_worker fetcher, resolver;
	struct ces_unpacker reader; /* of a document */
	struct ces_staged staged[CES_STAGED_MAX];
	char digest[CES_DIGEST_LENGTH + 1]; /* of the manifest */
	char top_digest[CES_DIGEST_LENGTH + 1];
	char layers[CES_LAYERS_MAX][CES_DIGEST_LENGTH + 1]; /* that the pull counts on */
	char *diff_ids[CES_LAYERS_MAX];                     /* the same */
	size_t n;
	bool up_to_date, settled;    /* CES_END_* */
	char bag[CES_STEP_NAME + 1]; /* staged, with what may hold signatures; "": none */
};

/* decision and entry are the pull's, which sets them. */
void ces_steps_begin(struct ces_steps *s, struct ces_session *session, enum ces_turn turn);

/* Does what the ces-store of s->worker asks for, until it has done its work, or the request fails.
 * Each step is possible at some times only. No step can decide what is approved, where anything
 * goes, or what is unpacked but the layer of that digest. A pull ends when its client goes. */
int ces_steps_serve(struct ces_steps *s, struct ces_error *err);

/* The next step alone; it has come. */
int ces_steps_serve_one(struct ces_steps *s, struct ces_error *err);

/* Ends all processes, and removes what was staged. */
void ces_steps_end(struct ces_steps *s);

#endif
