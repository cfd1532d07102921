/* The words of a demand for evidence, for those who read a policy. */
#ifndef CES_POLICY_DEMAND_TEXT_H
#define CES_POLICY_DEMAND_TEXT_H

#include "policy/demand.h"

#define CES_SCAN_AGE_MAX (UINT64_C(3650) * 24 * 60 * 60)
#define CES_DEMAND_TEXT  256

/* The finding for a word of a policy: "high", "fixable high"; CES_FINDINGS for any other. */
unsigned ces_finding_of(const char *word);

/* "a scan at most 30d old without critical, and an SBOM", or "". */
void ces_demand_say(const struct ces_policy_demand *demand, char *buffer, size_t size);

#endif
