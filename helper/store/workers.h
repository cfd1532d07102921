/* Talking to ces-fetch and ces-unpack. What they answer is decoded strictly and believed no further
 * than it was checked: bytes that came by ces-fetch are hashed here or in ces-unpack before they
 * mean anything. */
#ifndef CES_HELPER_STORE_WORKERS_H
#define CES_HELPER_STORE_WORKERS_H

#include "common/worker.h"
#include "helper/core/spawn.h"
#include "helper/session/session.h"

struct ces_fetcher {
	struct ces_process process;
	int socket;
	uint64_t next_id;
	uint64_t type; /* of what came whole last, a manifest: enum ces_manifest_type */
};

/* Starts ces-fetch for the one registry and repository that the decision names. */
int ces_fetcher_start(const struct ces_session *session, const struct ces_decision *decision,
		      struct ces_fetcher *ret, struct ces_error *err);
void ces_fetcher_stop(struct ces_fetcher *fetcher);

/* Asks for one body, to be written into the pipe body_fd (still owned by the caller). */
int ces_fetcher_get(struct ces_fetcher *fetcher, enum ces_fetch_kind kind, const char *reference,
		    uint64_t size, int body_fd, uint64_t *ret_id, struct ces_error *err);

/* Receives one status; 1, or 0 when ces-fetch is gone, -1. A failed status is returned like any
 * other. */
int ces_fetcher_status(struct ces_fetcher *fetcher, struct ces_fetch_status *ret,
		       struct ces_error *err);

struct ces_unpacker {
	struct ces_process process;
	int answer; /* read end */
};

/* Starts one ces-unpack on a job in the user namespace userns; input becomes its fd 5, dirs its fds
 * from 6. */
int ces_unpacker_start(const struct ces_unpack_job *job, int userns, int input, const int *dirs,
		       size_t n_dirs, struct ces_unpacker *ret, struct ces_error *err);

/* Takes the answer (waits at most until deadline_ms) and reaps. An error answer becomes err. */
int ces_unpacker_finish(struct ces_unpacker *unpacker, int64_t deadline_ms,
			const struct ces_wire_schema *schema, void *ret, struct ces_error *err);
void ces_unpacker_kill(struct ces_unpacker *unpacker);

/* The user namespace that all unpackers of a pull work in. */
int ces_unpacker_userns(const struct ces_session *session, int *ret, struct ces_error *err);

#endif
