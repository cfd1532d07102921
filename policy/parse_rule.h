/* The table of image rules, for the tables of policy/parse.c. */
#ifndef CES_POLICY_PARSE_RULE_H
#define CES_POLICY_PARSE_RULE_H

#include "policy/field.h"

/* A list of struct ces_policy_image_rule. */
extern const struct ces_field_each ces_field_images;

#endif
