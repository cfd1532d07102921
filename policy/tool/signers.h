/* The signatures that an image rule wants, for people. */
#ifndef CES_POLICY_TOOL_SIGNERS_H
#define CES_POLICY_TOOL_SIGNERS_H

#include <stdbool.h>
#include <stddef.h>

#include "policy/tool/check.h"

#define CES_SIGNERS_TEXT 2304 /* bytes, enough for any */

/* "signed by a", "signed by one of a, b", "signed by 2 of a, b, c"; "" if none are wanted. before:
 * the text before it, if there is one. */
const char *ces_signers_text(const struct ces_policy_signers *signers, const char *before,
			     char ret[CES_SIGNERS_TEXT]);

/* Returns whether every image that satisfies `narrow` satisfies `wide` too. */
bool ces_signers_cover(const struct ces_policy_signers *wide,
		       const struct ces_policy_signers *narrow);

/* Warns about keys that are missing, invalid, or that CES would not take. dir: the policy's
 * directory, whose keys are checked; -1: none. host: also keys elsewhere; and in /etc/ces, where
 * CES would read them, owner and mode. */
void ces_check_warn_signers(struct ces_problems *problems, const struct ces_policy *policy, int dir,
			    bool host);

#endif
