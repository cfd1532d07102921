/* A decision in words. */
#ifndef CES_POLICY_EXPLAIN_H
#define CES_POLICY_EXPLAIN_H

#include "policy/decide.h"

/* Explains an allowed decision in plain English, line by line (mounts, limits, devices, ports,
 * rule, approval). It calls `emit` once for each line. */
void ces_decision_explain(const struct ces_caller *caller, const struct ces_decision *decision,
			  void (*emit)(void *, const char *), void *context);

#endif
