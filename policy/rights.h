/* The rights of one caller through one project. Internal to policy/. */
#ifndef CES_POLICY_RIGHTS_H
#define CES_POLICY_RIGHTS_H

#include "policy/decide.h"

struct ces_rights {
	char project[CES_NAME_MAX + 1];
	const struct ces_policy_project *written; /* NULL: inferred from a group */
	const struct ces_policy_image_rules *images;
	const struct ces_policy_settings *settings;
	time_t expires;
};

/* The caller's projects in the order of the policy, then the inferred ones; also expired ones. *ret
 * is malloc'd. */
int ces_rights_collect(const struct ces_policy *policy, const struct ces_caller *caller,
		       const struct ces_facts *facts, struct ces_rights **ret, size_t *ret_n,
		       struct ces_error *err);

/* Returns whether the list has this very text; NULL is in no list. */
bool ces_listed(const struct ces_strings *list, const char *text);

/* Returns whether IG wrote a project of that name. */
bool ces_rights_written(const struct ces_policy *policy, const char *project);

/* The groups through which the caller is in the project. */
void ces_rights_groups(const struct ces_policy *policy, const struct ces_caller *caller,
		       const struct ces_rights *rights, struct ces_decision *ret);

/* Fills in the fields that only a run needs. */
int ces_decide_run(const struct ces_policy *policy, const struct ces_caller *caller,
		   const struct ces_request *request, const struct ces_facts *facts,
		   const struct ces_rights *rights, struct ces_decision *ret,
		   struct ces_error *err);

#endif
