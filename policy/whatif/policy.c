/* Finds what has ended by a day, and what a person has who is to leave. The deciding functions say
 * which projects a person is in. */
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "policy/tool/member.h"
#include "policy/tool/met.h"
#include "policy/whatif/what_if.h"

int ces_what_if_expire(struct ces_what_if *what, struct ces_error *err)
{
	char record[CES_DIGEST_LENGTH + 1];
	struct ces_rules_walk walk = {0};
	struct ces_error unmet = {0};

	(void)err;
	while (ces_rules_next(what->policy, &walk)) {
		time_t end = ces_rules_end(&walk);

		if (end != 0 && end <= what->end)
			ces_what_if_rule(what, &walk,
					 end == walk.at->expires ? NULL : "its project ends");
		else if (ces_rule_met(what->evidence_dir, "", walk.at, what->end, record, &unmet) !=
			 0)
			ces_what_if_rule(what, &walk, "its scan or SBOM does not do then");
	}
	return 0;
}

/* Returns whether the user is the project's only member. */
static bool alone(const struct ces_policy_project *project, const char *user)
{
	return project->member_groups.n == 0 && project->member_users.n == 1 &&
	       strcmp(project->member_users.v[0], user) == 0;
}

static void take_project(struct ces_what_if *what, const struct ces_member *member,
			 const struct ces_rights *rights)
{
	struct ces_decision *decision = calloc(1, sizeof(*decision));
	struct ces_rules_walk walk = {0};
	const char *why = "through a group";

	if (decision == NULL) {
		what->no_memory = true;
		return;
	}
	ces_rights_groups(what->policy, &member->caller, rights, decision);
	if (decision->n_project_gids == 0)
		why = rights->written != NULL && alone(rights->written, what->word)
			  ? "by name; nobody else is in the project"
			  : "by name";
	while (ces_rules_next(what->policy, &walk))
		if (walk.owner == rights->written)
			ces_what_if_rule(what, &walk, why);
	free(decision);
}

int ces_what_if_user(struct ces_what_if *what, struct ces_error *err)
{
	struct ces_member *member = calloc(1, sizeof(*member));
	CES_CLEANUP_FREE struct ces_rights *rights = NULL;
	int result = -1;
	size_t n = 0;

	if (member == NULL)
		return ces_error_set(err, CES_E_HOST, "out of memory");
	if (ces_member_find(member, what->word, what->groups, err) == 0 &&
	    ces_member_rights(member, what->policy, &rights, &n, err) == 0) {
		for (size_t i = 0; i < n; i++)
			take_project(what, member, &rights[i]);
		result = 0;
	}
	ces_member_free(member);
	free(member);
	return result;
}
