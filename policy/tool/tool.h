/* The parts of ces-policy. */
#ifndef CES_POLICY_TOOL_TOOL_H
#define CES_POLICY_TOOL_TOOL_H

#include "policy/policy.h"

/* Prints what is allowed yet probably not meant: a passed review, rules that can never match. */
void ces_tool_remarks(const struct ces_policy *policy, time_t now);

/* Prints the policy, or one project of it, in plain English. */
int ces_tool_explain(const struct ces_policy *policy, const char *project, time_t now,
		     struct ces_error *err);

#endif
