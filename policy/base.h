/* What an image was built on, proven by its layers. */
#ifndef CES_POLICY_BASE_H
#define CES_POLICY_BASE_H

#include "policy/decide.h"

/* Goes from the ChainID of the layers below ("" below the lowest) and a diff_id to the ChainID of
 * both, in place. */
void ces_chain_add(char chain[CES_DIGEST_LENGTH + 1], const char *diff_id);

/* Checks that the layers, the lowest first, begin with those of a base that the rule allows. -1
 * with CES_E_DENIED and the rule's key. */
int ces_base_check(const struct ces_decision *decision, const struct ces_strings *diff_ids,
		   struct ces_error *err);

#endif
