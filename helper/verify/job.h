/* The job of ces-verify: keys, digests, and the documents of a registry that may hold signatures of
 * these keys over these digests. It comes as CES_PARSE_SIGNED does (policy/parsed.h), and the
 * answer is the struct below. */
#ifndef CES_HELPER_VERIFY_JOB_H
#define CES_HELPER_VERIFY_JOB_H

#include "common/worker_order.h"
#include "policy/decide.h"

#define CES_SIGNER_KEY_MAX   16384 /* bytes of a key's file */
#define CES_VERIFIED_DIGESTS 2     /* of the image's manifest, and of the index that leads to it */

/* Followed by the bytes of the keys, in order, and the bag. */
struct ces_verify_job {
	uint64_t n_keys, keys[CES_SIGNERS_MAX]; /* lengths */
	uint64_t n_digests, bag;                /* bag: its length */
	char digests[CES_VERIFIED_DIGESTS][CES_DIGEST_LENGTH + 1];
	char names[CES_SIGNERS_MAX][CES_SIGNER_PATH]; /* of the keys, for the words of an error */
};

/* by[d]: bit i is set when key i has signed digest d. A key that is also an earlier one, in another
 * file, has none. */
struct ces_verify_answer {
	uint64_t by[CES_VERIFIED_DIGESTS];
};

#endif
