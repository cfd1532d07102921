/* What a checker of policies notices beyond right and wrong. Nothing here changes what is allowed.
 */
#include <stdio.h>
#include <string.h>

#include "policy/tool/tool.h"

static bool registry_known(const struct ces_policy *policy, const char *pattern)
{
	size_t length = strcspn(pattern, "/");

	for (size_t i = 0; i < policy->n_registries; i++)
		if (strncmp(policy->registries[i].name, pattern, length) == 0 &&
		    policy->registries[i].name[length] == '\0')
			return true;
	return strncmp(pattern, "*", length) == 0;
}

static void remark_rules(const struct ces_policy *policy, const char *where,
			 const struct ces_policy_image_rules *rules, time_t now)
{
	for (size_t i = 0; i < rules->n; i++) {
		if (!registry_known(policy, rules->v[i].allow))
			printf("note: %s.images[%zu]: %s: the registry is not in `registries`, so "
			       "this allows nothing\n",
			       where, i, rules->v[i].allow);
		if (rules->v[i].expires != 0 && now >= rules->v[i].expires)
			printf("note: %s.images[%zu]: %s: expired\n", where, i, rules->v[i].allow);
	}
}

void ces_tool_remarks(const struct ces_policy *policy, time_t now)
{
	char where[128];

	if (policy->review_by != 0 && now >= policy->review_by)
		printf("note: review_by: the date for the policy's review has passed\n");
	for (size_t i = 0; i < policy->n_projects; i++) {
		const struct ces_policy_project *project = &policy->projects[i];

		snprintf(where, sizeof(where), "projects.%s", project->name);
		if (project->expires != 0 && now >= project->expires)
			printf("note: %s: expired\n", where);
		if (project->member_groups.n + project->member_users.n == 0)
			printf("note: %s: has no members\n", where);
		remark_rules(policy, where, &project->images, now);
	}
	remark_rules(policy, "infer_projects", &policy->infer_images, now);
}
