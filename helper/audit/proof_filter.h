/* The system call filter of a container, compared with its plan. */
#ifndef CES_HELPER_AUDIT_PROOF_FILTER_H
#define CES_HELPER_AUDIT_PROOF_FILTER_H

#include "helper/launch/plan.h"
#include "helper/session/json.h"

/* Checks which system calls the held program may make. Adds what it finds to record. */
int ces_proof_filter(const struct ces_plan *plan, pid_t held, struct ces_json *record,
		     struct ces_error *err);

#endif
