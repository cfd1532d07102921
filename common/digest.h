/* SHA-256 (FIPS 180-4), by nettle, and its text form. */
#ifndef CES_COMMON_DIGEST_H
#define CES_COMMON_DIGEST_H

#include <stddef.h>

#include <nettle/sha2.h>

#include "common/name.h"

struct ces_digest_state {
	struct sha256_ctx context;
};

void ces_digest_begin(struct ces_digest_state *state);
void ces_digest_add(struct ces_digest_state *state, const void *bytes, size_t length);

/* Writes "sha256:<64 hex>" and a NUL into ret (CES_DIGEST_LENGTH + 1 bytes). */
void ces_digest_end(struct ces_digest_state *state, char ret[CES_DIGEST_LENGTH + 1]);

/* All three in one. */
void ces_digest_of(const void *bytes, size_t length, char ret[CES_DIGEST_LENGTH + 1]);

#endif
