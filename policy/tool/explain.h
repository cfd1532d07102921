/* A policy in plain English, in parts. */
#ifndef CES_POLICY_TOOL_EXPLAIN_H
#define CES_POLICY_TOOL_EXPLAIN_H

#include "policy/policy.h"

void ces_explain_head(const struct ces_policy *policy);
void ces_explain_project(const struct ces_policy_project *project, time_t now);
void ces_explain_inferred(const struct ces_policy *policy, time_t now);

#endif
