/* Finds a person's place in a policy. It must not decide: it asks the deciding functions. */
#include "policy/tool/member.h"

#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"

static int too_many(struct ces_error *err)
{
	return ces_error_set(err, CES_E_HOST, "more than %d groups: CES refuses such a user",
			     CES_MEMBER_GROUPS);
}

static void add_group(struct ces_member *member, gid_t gid, char *name)
{
	member->gids[member->caller.n_groups] = gid;
	member->names[member->caller.n_groups++] = name;
}

/* The names are in one text that stays until the tool ends. */
static int groups_given(struct ces_member *member, const char *groups, struct ces_error *err)
{
	char *save = NULL;

	member->text = strdup(groups);
	if (member->text == NULL)
		return ces_error_set(err, CES_E_HOST, "out of memory");
	for (char *name = strtok_r(member->text, ",", &save); name != NULL;
	     name = strtok_r(NULL, ",", &save)) {
		if (member->caller.n_groups == CES_MEMBER_GROUPS)
			return too_many(err);
		add_group(member, (gid_t)(60000 - member->caller.n_groups), name);
	}
	return 0;
}

static int groups_known(struct ces_member *member, const char *user_name, struct ces_error *err)
{
	const struct passwd *user = getpwnam(user_name);
	gid_t gids[CES_MEMBER_GROUPS];
	int n = CES_MEMBER_GROUPS;
	size_t used = 0, size = (size_t)CES_MEMBER_GROUPS * 256;

	if (user == NULL)
		return ces_error_set(err, CES_E_NOTFOUND,
				     "there is no user %s on this machine: say which groups with "
				     "--groups",
				     user_name);
	if (getgrouplist(user_name, user->pw_gid, gids, &n) < 0)
		return too_many(err);
	member->text = calloc(1, size);
	if (member->text == NULL)
		return ces_error_set(err, CES_E_HOST, "out of memory");
	for (int i = 0; i < n; i++) {
		const struct group *group = getgrgid(gids[i]);
		size_t length = group == NULL ? 0 : strlen(group->gr_name) + 1;

		if (length <= 1 || used + length > size)
			continue;
		memcpy(member->text + used, group->gr_name, length);
		add_group(member, gids[i], member->text + used);
		used += length;
	}
	return 0;
}

int ces_member_find(struct ces_member *member, const char *user, const char *groups,
		    struct ces_error *err)
{
	member->caller = (struct ces_caller){.uid = 1000,
					     .gid = 1000,
					     .user = (char *)user,
					     .groups = member->gids,
					     .group_names = member->names};
	return groups != NULL ? groups_given(member, groups, err) : groups_known(member, user, err);
}

int ces_member_rights(struct ces_member *member, const struct ces_policy *policy,
		      struct ces_rights **ret, size_t *ret_n, struct ces_error *err)
{
	const size_t max = member->caller.n_groups * policy->infer_prefixes.n + 1;
	CES_CLEANUP_FREE char(*names)[CES_NAME_MAX + 1] = calloc(max, sizeof(*names));
	CES_CLEANUP_FREE char **list = calloc(max, sizeof(*list));
	struct ces_facts facts = {.inferred = {.v = list}};

	if (names == NULL || list == NULL)
		return ces_error_set(err, CES_E_HOST, "out of memory");
	facts.inferred.n = ces_decide_candidates(policy, &member->caller, names, max);
	for (size_t i = 0; i < facts.inferred.n; i++)
		list[i] = names[i];
	return ces_rights_collect(policy, &member->caller, &facts, ret, ret_n, err);
}

void ces_member_free(struct ces_member *member)
{
	free(member->text);
	member->text = NULL;
}
