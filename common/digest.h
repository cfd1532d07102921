/* SHA-256 (FIPS 180-4), by nettle, and its text form. */
#ifndef CES_COMMON_DIGEST_H
#define CES_COMMON_DIGEST_H

#include <stddef.h>

#include <nettle/sha2.h>

#include "common/name.h"

/* Writes "sha256:<64 hex>" and a NUL into ret (CES_DIGEST_LENGTH + 1 bytes), for bytes that came in
 * pieces, by sha256_init and sha256_update. */
void ces_digest_end(struct sha256_ctx *context, char ret[CES_DIGEST_LENGTH + 1]);

/* The same for bytes in memory. */
void ces_digest_of(const void *bytes, size_t length, char ret[CES_DIGEST_LENGTH + 1]);

#endif
