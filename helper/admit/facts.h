/* Gathers the facts about the file system that a decision needs. They are gathered before it, so
 * that the decision makes no system call. */
#ifndef CES_HELPER_ADMIT_FACTS_H
#define CES_HELPER_ADMIT_FACTS_H

#include "policy/decide.h"

/* Looks with the caller's own rights. Call it once: *ret points to static memory. */
void ces_facts_gather(const struct ces_policy *policy, const struct ces_caller *caller,
		      struct ces_facts *ret);

#endif
