/* Finds the caller's identity. Must not trust anything that the caller sent: only getuid()'s answer
 * and the database count.
 *
 * A name serves templates and messages; numeric uid and gid decide every question of ownership. */
#include "helper/core/caller.h"

#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>

#include "helper/core/order.h"

/* Replaces a text of the one before by a copy of this one; NULL stays NULL. */
static int keep(char **ret, const char *text, struct ces_error *err)
{
	free(*ret);
	*ret = text != NULL ? strdup(text) : NULL;
	return text != NULL && *ret == NULL ? ces_error_set(err, CES_E_HOST, "out of memory") : 0;
}

int ces_caller_load(uid_t uid, struct ces_caller *ret, struct ces_error *err)
{
	static gid_t groups[CES_GROUPS_MAX];
	static char *user, *home, *names[CES_GROUPS_MAX];
	const struct passwd *entry;
	gid_t gid;
	int n = CES_GROUPS_MAX;

	if (uid == 0)
		return ces_error_set(err, CES_E_USAGE,
				     "CES runs containers for ordinary users only, not for root; "
				     "log in as the researcher");
	entry = getpwuid(uid);
	if (entry == NULL)
		return ces_error_set(err, CES_E_HOST, "uid %u is not in the user database", uid);
	gid = entry->pw_gid;
	if (keep(&user, entry->pw_name, err) < 0 || keep(&home, entry->pw_dir, err) < 0)
		return -1;
	if (getgrouplist(user, gid, groups, &n) < 0)
		return ces_error_set(err, CES_E_HOST, "you are in more than %d groups",
				     CES_GROUPS_MAX);
	for (int i = 0; i < n; i++) {
		const struct group *group = getgrgid(groups[i]);

		if (keep(&names[i], group != NULL ? group->gr_name : NULL, err) < 0)
			return -1;
	}
	*ret = (struct ces_caller){uid, gid, user, home, groups, names, (size_t)n};
	return 0;
}
