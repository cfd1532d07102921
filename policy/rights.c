/* Membership: which projects a caller is in, by the groups in the user database. It must never
 * grant a project by a part of a name: it compares names of groups, users and projects as a
 * whole. */
#include "policy/rights.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool ces_listed(const struct ces_strings *list, const char *text)
{
	for (size_t i = 0; i < list->n; i++)
		if (text != NULL && strcmp(list->v[i], text) == 0)
			return true;
	return false;
}

static bool is_member(const struct ces_policy_project *project, const struct ces_caller *caller)
{
	for (size_t i = 0; i < caller->n_groups; i++)
		if (ces_listed(&project->member_groups, caller->group_names[i]))
			return true;
	return ces_listed(&project->member_users, caller->user);
}

bool ces_rights_written(const struct ces_policy *policy, const char *project)
{
	for (size_t i = 0; i < policy->n_projects; i++)
		if (strcmp(policy->projects[i].name, project) == 0)
			return true;
	return false;
}

/* The project that a group means under one prefix, or NULL. A written project of that name hides
 * it, whatever its members: a group must not widen what IG wrote. */
static const char *inferred_name(const struct ces_policy *policy, const char *prefix,
				 const char *group)
{
	const char *project;

	if (group == NULL || strncmp(group, prefix, strlen(prefix)) != 0)
		return NULL;
	project = group + strlen(prefix);
	return ces_project_valid(project) && !ces_rights_written(policy, project) ? project : NULL;
}

static bool group_infers(const struct ces_policy *policy, const char *group, const char *project)
{
	for (size_t i = 0; policy->infer && i < policy->infer_prefixes.n; i++) {
		const char *name = inferred_name(policy, policy->infer_prefixes.v[i], group);

		if (name != NULL && strcmp(name, project) == 0)
			return true;
	}
	return false;
}

static bool infers(const struct ces_policy *policy, const struct ces_caller *caller,
		   const char *project)
{
	for (size_t i = 0; i < caller->n_groups; i++)
		if (group_infers(policy, caller->group_names[i], project))
			return true;
	return false;
}

size_t ces_decide_candidates(const struct ces_policy *policy, const struct ces_caller *caller,
			     char (*ret)[CES_NAME_MAX + 1], size_t max)
{
	size_t n = 0;

	for (size_t i = 0; policy->infer && i < caller->n_groups; i++) {
		for (size_t j = 0; j < policy->infer_prefixes.n; j++) {
			const char *name = inferred_name(policy, policy->infer_prefixes.v[j],
							 caller->group_names[i]);
			size_t known = 0;

			while (name != NULL && known < n && strcmp(ret[known], name) != 0)
				known++;
			if (name != NULL && known == n && n < max)
				snprintf(ret[n++], sizeof(*ret), "%s", name);
		}
	}
	return n;
}

static bool held(const struct ces_rights *rights, size_t n, const char *project)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(rights[i].project, project) == 0)
			return true;
	return false;
}

/* The facts say that a directory exists, and not that the caller may use it: membership is checked
 * again here. */
int ces_rights_collect(const struct ces_policy *policy, const struct ces_caller *caller,
		       const struct ces_facts *facts, struct ces_rights **ret, size_t *ret_n,
		       struct ces_error *err)
{
	struct ces_rights *rights =
	    calloc(policy->n_projects + facts->inferred.n + 1, sizeof(*rights));
	size_t n = 0;

	if (rights == NULL)
		return ces_error_set(err, CES_E_HOST, "out of memory");
	for (size_t i = 0; i < policy->n_projects; i++) {
		const struct ces_policy_project *project = &policy->projects[i];

		if (!is_member(project, caller))
			continue;
		rights[n] = (struct ces_rights){.written = project,
						.images = &project->images,
						.settings = &project->settings,
						.expires = project->expires};
		snprintf(rights[n++].project, sizeof(rights->project), "%s", project->name);
	}
	for (size_t i = 0; i < facts->inferred.n; i++) {
		const char *project = facts->inferred.v[i];

		if (!infers(policy, caller, project) || held(rights, n, project))
			continue;
		rights[n] = (struct ces_rights){.images = &policy->infer_images,
						.settings = &policy->defaults};
		snprintf(rights[n++].project, sizeof(rights->project), "%s", project);
	}
	*ret = rights;
	*ret_n = n;
	return 0;
}

/* Group 0 is never passed on: it owns too much of any file system. */
void ces_rights_groups(const struct ces_policy *policy, const struct ces_caller *caller,
		       const struct ces_rights *rights, struct ces_decision *ret)
{
	for (size_t i = 0; i < caller->n_groups && ret->n_project_gids < CES_DECISION_GROUPS; i++) {
		const char *group = caller->group_names[i];
		size_t n = ret->n_project_gids;

		if (group == NULL || caller->groups[i] == 0)
			continue;
		if (rights->written != NULL ? !ces_listed(&rights->written->member_groups, group)
					    : !group_infers(policy, group, rights->project))
			continue;
		ret->project_gids[n] = caller->groups[i];
		snprintf(ret->project_group_names[n], sizeof(ret->project_group_names[n]), "%s",
			 group);
		ret->n_project_gids++;
	}
}
