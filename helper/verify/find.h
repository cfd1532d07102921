/* Finds which keys have signed which digests, from documents in the forms of cosign: signatures and
 * attestations of version 2, and bundles of version 3. */
#ifndef CES_HELPER_VERIFY_FIND_H
#define CES_HELPER_VERIFY_FIND_H

#include <openssl/evp.h>

#include "common/worker.h"
#include "helper/verify/job.h"

struct ces_verify {
	size_t n_keys, n_digests;
	EVP_PKEY *keys[CES_SIGNERS_MAX]; /* NULL: it does not count */
	char digests[CES_VERIFIED_DIGESTS][CES_DIGEST_LENGTH + 1];
	struct ces_verify_answer found;
};

/* Adds to verify->found what a bag has. A document in none of these forms counts for nothing and is
 * no error: the registry may have any documents. */
void ces_verify_find(struct ces_verify *verify, const uint8_t *bytes, size_t length);

/* Each reads one document (forms.c). signature: base64. */
void ces_verify_simple(struct ces_verify *verify, const char *bytes, size_t length,
		       const char *signature);
void ces_verify_envelope(struct ces_verify *verify, const char *bytes, size_t length);
void ces_verify_bundle(struct ces_verify *verify, const char *bytes, size_t length);

#endif
