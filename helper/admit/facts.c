/* Gathers facts. Must not decide: it only says which directories exist. */
#include "helper/admit/facts.h"

#include <stdio.h>

#include "common/cleanup.h"
#include "helper/core/caller_open.h"
#include "helper/core/order.h"

static bool is_there(const struct ces_caller *caller, const char *base, const char *name)
{
	CES_CLEANUP_FD int fd = -1;
	struct ces_error ignored;
	char path[1100];

	(void)snprintf(path, sizeof(path), "%s/%s", base, name);
	return ces_caller_open(caller, path, false, NULL, &fd, &ignored) == 0;
}

void ces_facts_gather(const struct ces_policy *policy, const struct ces_caller *caller,
		      struct ces_facts *ret)
{
	/* one for each group and prefix: a project that is left out would be denied */
	static char names[CES_GROUPS_MAX * CES_PREFIXES_MAX][CES_NAME_MAX + 1];
	static char *there[CES_COUNT(names)];
	size_t n = ces_decide_candidates(policy, caller, names, CES_COUNT(names));

	*ret = (struct ces_facts){.inferred.v = there};
	for (size_t i = 0; i < n; i++)
		if (is_there(caller, policy->infer_base, names[i]))
			there[ret->inferred.n++] = names[i];
	ret->home_data = is_there(caller, caller->home, "safe_data");
}
