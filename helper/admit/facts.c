/* Gathers facts. Must not decide: it only says which directories exist. */
#include "helper/admit/facts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

int ces_facts_gather(const struct ces_policy *policy, const struct ces_caller *caller,
		     struct ces_facts *ret, struct ces_error *err)
{
	char names[CANDIDATES_MAX][CES_NAME_MAX + 1];
	size_t n = policy->infer ? ces_decide_candidates(policy, caller, names, CANDIDATES_MAX) : 0;
	struct ces_facts facts = {0};

	facts.inferred.v = calloc(n + 1, sizeof(char *));
	if (facts.inferred.v == NULL)
		return ces_error_set(err, CES_E_HOST, "out of memory");
	for (size_t i = 0; i < n; i++)
		if (is_there(caller, policy->infer_base, names[i])) {
			if (asprintf(&facts.inferred.v[facts.inferred.n], "%s", names[i]) < 0) {
				ces_facts_free(&facts);
				return ces_error_set(err, CES_E_HOST, "out of memory");
			}
			facts.inferred.n++;
		}
	facts.home_data = is_there(caller, caller->home, "safe_data");
	*ret = facts;
	return 0;
}

void ces_facts_free(struct ces_facts *facts)
{
	for (size_t i = 0; i < facts->inferred.n; i++)
		free(facts->inferred.v[i]);
	free(facts->inferred.v);
	memset(facts, 0, sizeof(*facts));
}
