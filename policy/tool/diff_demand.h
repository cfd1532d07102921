/* Compares what two image rules demand. */
#ifndef CES_POLICY_TOOL_DIFF_DEMAND_H
#define CES_POLICY_TOOL_DIFF_DEMAND_H

#include "policy/policy.h"
#include "policy/tool/diff_lines.h"

/* `name`: of the rule, before a colon. */
void ces_diff_demand(struct ces_diff *diff, const char *name,
		     const struct ces_policy_image_rule *old,
		     const struct ces_policy_image_rule *new);

#endif
