/* The mounts of a container, compared with its plan. */
#ifndef CES_HELPER_AUDIT_PROOF_MOUNTS_H
#define CES_HELPER_AUDIT_PROOF_MOUNTS_H

#include <json-c/json.h>

#include "helper/launch/plan.h"

/* The mounts of the process whose /proc directory is proc. What is
 * found goes into record. */
int ces_proof_mounts(const struct ces_plan *plan, int proc, struct json_object *record,
		     struct ces_error *err);

#endif
