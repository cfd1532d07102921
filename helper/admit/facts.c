/* Gathers facts. Must not decide: it only says which directories exist. */
#include "helper/admit/facts.h"

#include <stdio.h>

#include "common/cleanup.h"
#include "helper/core/caller_open.h"

#define CANDIDATES_MAX 64

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
	static char names[CANDIDATES_MAX][CES_NAME_MAX + 1], *there[CANDIDATES_MAX];
	size_t n = ces_decide_candidates(policy, caller, names, CANDIDATES_MAX);

	*ret = (struct ces_facts){.inferred.v = there};
	for (size_t i = 0; i < n; i++)
		if (is_there(caller, policy->infer_base, names[i]))
			there[ret->inferred.n++] = names[i];
	ret->home_data = is_there(caller, caller->home, "safe_data");
}
