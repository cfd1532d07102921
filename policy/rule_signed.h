/* The key "signed_by" of an image rule. Internal to policy/. */
#ifndef CES_POLICY_RULE_SIGNED_H
#define CES_POLICY_RULE_SIGNED_H

#include "policy/field.h"

/* [-; struct ces_policy_signers] */
ces_field_reader ces_rule_signed;

#endif
