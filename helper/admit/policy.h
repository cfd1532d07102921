/* Reads the policy for a decision. */
#ifndef CES_HELPER_ADMIT_POLICY_H
#define CES_HELPER_ADMIT_POLICY_H

#include <stddef.h>
#include <stdint.h>

#include "policy/policy.h"

struct ces_read_policy {
	const struct ces_policy *policy;
	uint8_t *block; /* as ces-parse made it, if it is not kept yet; NULL otherwise */
	size_t length;
};

/* CES_E_POLICY when the file cannot be trusted or understood. */
int ces_read_policy(struct ces_read_policy *ret, struct ces_error *err);

#endif
