/* Starts ces-store, and the workers of a pull: ces-fetch, ces-resolve and each ces-unpack. Must not
 * read anything that they send. */
#ifndef CES_HELPER_PULL_WORKERS_H
#define CES_HELPER_PULL_WORKERS_H

#include "common/worker_order.h"
#include "helper/core/spawn.h"
#include "helper/session/session.h"
#include "helper/store/step.h"

#define PULL_SECONDS (6 * 3600) /* for the whole of a pull */

struct ces_worker {
	struct ces_process process;
	int socket; /* to the worker */
};
#define CES_WORKER_NONE                                                                            \
	{                                                                                          \
		CES_PROCESS_NONE, -1                                                               \
	}

/* Starts a ces-store with its order. It has the directories of the store that are open (others -1),
 * and event, unless -1. It is root of a user namespace of its own, in which there is nobody else.
 */
int ces_store_start(const struct ces_store *store, const struct ces_store_order *order, int event,
		    struct ces_worker *ret, struct ces_error *err);

/* Starts ces-fetch for the one registry and repository that the decision names, with the caller's
 * login; or ces-layout, where the policy names a directory in place of the registry. */
int ces_fetcher_start(const struct ces_session *session, const struct ces_decision *decision,
		      struct ces_worker *ret, struct ces_error *err);

/* Starts ces-resolve, and gives it the socket to ces-fetch, so that one ends with the other. */
int ces_resolver_start(const struct ces_session *session, const struct ces_decision *decision,
		       struct ces_worker *fetcher, struct ces_worker *ret, struct ces_error *err);

void ces_worker_stop(struct ces_worker *worker);

struct ces_unpacker {
	struct ces_process process;
	int answer, input; /* read end, write end */
};
#define CES_UNPACKER_NONE                                                                          \
	{                                                                                          \
		CES_PROCESS_NONE, -1, -1                                                           \
	}

/* Starts one ces-unpack on a job in the user namespace userns; dirs become its fds from 6. */
int ces_unpacker_start(const struct ces_unpack_job *job, int userns, const int *dirs, size_t n_dirs,
		       struct ces_unpacker *ret, struct ces_error *err);

/* Waits a few seconds for its end. Returns whether it did its job. */
bool ces_unpacker_done(struct ces_unpacker *unpacker);
void ces_unpacker_kill(struct ces_unpacker *unpacker);

/* The user namespace that all unpackers of a pull work in. */
int ces_unpacker_userns(const struct ces_session *session, int *ret, struct ces_error *err);

#endif
