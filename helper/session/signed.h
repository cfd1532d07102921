/* The signatures that an image rule wants, at a pull and at each run. */
#ifndef CES_HELPER_SESSION_SIGNED_H
#define CES_HELPER_SESSION_SIGNED_H

#include "helper/session/session.h"

/* Checks that enough of the decision's keys have signed the image with this digest, or the index
 * top_digest that led to it, and notes in *ret which. bag: the registry's documents, see
 * helper/verify/job.h. CES_E_DENIED with the rule when they have not; CES_E_POLICY for a key that
 * is not a file of root's alone, or none that CES knows. Does nothing for a rule without keys. */
int ces_signed_check(const struct ces_decision *decision, const char *digest,
		     const char *top_digest, const struct ces_bytes *bag, struct ces_signers *ret,
		     struct ces_error *err);

/* The same for a run, with the documents that the last pull of the image from this repository
 * kept. */
int ces_signed_check_kept(const struct ces_store *store, const struct ces_decision *decision,
			  const struct ces_grant *grant, struct ces_signers *ret,
			  struct ces_error *err);

#endif
