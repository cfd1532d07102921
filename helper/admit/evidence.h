/* Looks at the evidence that a decision demands. */
#ifndef CES_HELPER_ADMIT_EVIDENCE_H
#define CES_HELPER_ADMIT_EVIDENCE_H

#include "policy/decide.h"

/* Completes the decision. Where its rule demands no evidence, this does nothing. */
int ces_evidence_check(struct ces_decision *decision, time_t now, struct ces_error *err);

#endif
