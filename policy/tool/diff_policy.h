/* Differences between two policies, each one a sentence. */
#ifndef CES_POLICY_TOOL_DIFF_POLICY_H
#define CES_POLICY_TOOL_DIFF_POLICY_H

#include <stdbool.h>

#include "policy/policy.h"
#include "policy/tool/diff_lines.h"

void ces_diff_policies(struct ces_diff *diff, const struct ces_policy *old,
		       const struct ces_policy *new);

/* Prints them, the wider ones first. CES_TOOL_FINDING if there is one of those. */
int ces_diff_print(const struct ces_diff *diff, bool json);

void ces_diff_free(struct ces_diff *diff);

#endif
