/* The image rules of a policy. */
#ifndef CES_POLICY_TOOL_RULES_H
#define CES_POLICY_TOOL_RULES_H

#include "policy/policy.h"
#include "policy/tool/audit.h"

/* Walks over all image rules: those of projects, then those for inferred projects. Zero it
 * first. */
struct ces_rules_walk {
	size_t project, rule, n;                /* n: rules before this one */
	const struct ces_policy_project *owner; /* NULL: inferred projects */
	const struct ces_policy_image_rule *at;
	size_t index; /* within its list */
};

bool ces_rules_next(const struct ces_policy *policy, struct ces_rules_walk *walk);

/* The first second at which a rule no longer holds: its own end or its project's. 0: no end. */
time_t ces_rules_end(const struct ces_rules_walk *walk);

/* Returns whether every image that `narrow` matches also matches `wide`, component by component, as
 * in ces_pattern_match. */
bool ces_rules_cover(const char *wide, const char *narrow);

/* Returns whether an image can match both. */
bool ces_rules_meet(const char *one, const char *other);

/* Returns whether an earlier rule takes everything that a later one could decide: same images, any
 * digest or the same, and it does not end sooner. */
bool ces_rules_shadow(const struct ces_policy_image_rule *first,
		      const struct ces_policy_image_rule *second);

/* The name of the rule's project, or "(inferred)". */
const char *ces_rules_project(const struct ces_rules_walk *walk);

/* Finds the rule that allowed the request: the one in the record, if this policy decided; else the
 * first that matches. False if there is none. */
bool ces_rules_find(const struct ces_policy *policy, const struct ces_audit_row *row,
		    struct ces_rules_walk *ret);

#endif
