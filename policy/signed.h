/* Decides whether enough keys have signed an image. */
#ifndef CES_POLICY_SIGNED_H
#define CES_POLICY_SIGNED_H

#include "policy/decide.h"

/* by: bit i is set when the key i of the decision's signed_by has signed the image. digest: the
 * image's, for the words of a denial, or NULL. -1 with CES_E_DENIED, the rule, and what would
 * satisfy it. Pure, as ces_decide is: `ces-policy test` and a real run cannot disagree. */
int ces_decide_signed(const struct ces_decision *decision, const char *digest, uint64_t by,
		      struct ces_error *err);

#endif
