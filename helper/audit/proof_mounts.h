/* The mounts of a container, compared with its plan. */
#ifndef CES_HELPER_AUDIT_PROOF_MOUNTS_H
#define CES_HELPER_AUDIT_PROOF_MOUNTS_H

#include "helper/launch/plan.h"
#include "helper/session/json.h"

/* Checks the mounts of the process whose /proc directory is proc. Adds what it finds to record. */
int ces_proof_mounts(const struct ces_plan *plan, int proc, struct ces_json *record,
		     struct ces_error *err);

#endif
