/* Finds the caller's identity. Must not trust anything that the caller sent: only getuid()'s answer
 * and the database count.
 *
 * A name serves templates and messages; numeric uid and gid decide every question of ownership. */
#include "helper/core/caller.h"

#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "helper/core/order.h"

static int load_groups(struct ces_caller *caller, struct ces_error *err)
{
	gid_t groups[CES_GROUPS_MAX];
	int n = CES_GROUPS_MAX;

	if (getgrouplist(caller->user, caller->gid, groups, &n) < 0)
		return ces_error_set(err, CES_E_HOST, "you are in more than %d groups",
				     CES_GROUPS_MAX);
	caller->groups = calloc((size_t)n, sizeof(*caller->groups));
	caller->group_names = calloc((size_t)n, sizeof(*caller->group_names));
	if (caller->groups == NULL || caller->group_names == NULL)
		return ces_error_set(err, CES_E_HOST, "out of memory");
	for (int i = 0; i < n; i++) {
		const struct group *group = getgrgid(groups[i]);

		caller->groups[i] = groups[i];
		if (group != NULL && asprintf(&caller->group_names[i], "%s", group->gr_name) < 0)
			return ces_error_set(err, CES_E_HOST, "out of memory");
		caller->n_groups++;
	}
	return 0;
}

int ces_caller_load(uid_t uid, struct ces_caller *ret, struct ces_error *err)
{
	struct ces_caller caller = {.uid = uid};
	const struct passwd *entry;

	if (uid == 0)
		return ces_error_set(err, CES_E_USAGE,
				     "CES runs containers for ordinary users only, not for root; "
				     "log in as the researcher");
	entry = getpwuid(uid);
	if (entry == NULL)
		return ces_error_set(err, CES_E_HOST, "uid %u is not in the user database", uid);
	caller.gid = entry->pw_gid;
	caller.user = strdup(entry->pw_name);
	caller.home = strdup(entry->pw_dir);
	if (caller.user == NULL || caller.home == NULL || load_groups(&caller, err) < 0) {
		ces_caller_free(&caller);
		return -1;
	}
	*ret = caller;
	return 0;
}

void ces_caller_free(struct ces_caller *caller)
{
	for (size_t i = 0; i < caller->n_groups; i++)
		free(caller->group_names[i]);
	free(caller->group_names);
	free(caller->groups);
	free(caller->home);
	free(caller->user);
	memset(caller, 0, sizeof(*caller));
}
