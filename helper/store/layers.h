/* The layers of a pull: which are missing, and getting them, several at once. */
#ifndef CES_HELPER_STORE_LAYERS_H
#define CES_HELPER_STORE_LAYERS_H

#include "helper/store/workers.h"

struct ces_pull {
	const struct ces_decision *decision;
	const struct ces_session *session;
	const struct ces_store *store; /* the session's */
	char reference[CES_REFERENCE_MAX];
	uint64_t left; /* bytes that the caller's images may take more */
	int entry;     /* in the register of runs and pulls; the fd */
	struct ces_fetcher fetcher;
	int userns;                        /* of the unpackers */
	struct ces_bytes manifest, config; /* as fetched */
	struct ces_unpack_manifest parsed;
	struct ces_image_record record;
	char top_digest[CES_DIGEST_LENGTH +
			1]; /* of what the reference names: an index, or the manifest */
	char digest[CES_DIGEST_LENGTH + 1]; /* of the manifest */
	uint64_t bytes;                     /* unpacked, of all layers */
	bool up_to_date;                    /* nothing had to be fetched */
};

/* Fetches, verifies and unpacks every layer that the store lacks, or that the registry has not for
 * this caller, then commits them all, and sets bytes and up_to_date. The pull's entry then names
 * the image and its layers. On failure nothing of this pull stays in staging. */
int ces_pull_layers(struct ces_pull *pull, struct ces_error *err);

#endif
