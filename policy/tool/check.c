/* ces-policy check. */
#include "policy/tool/input.h"
#include "policy/tool/tool.h"

int ces_tool_check(int argc, char **argv)
{
	struct ces_policy *policy;
	struct ces_error err = {0};

	if (argc != 2)
		return ces_tool_usage("check");
	if (ces_input_policy(argv[1], &policy, &err) != 0)
		return ces_tool_fail(&err);
	printf("%s: ok, %zu registries, %zu projects%s, %s\n", argv[1], policy->n_registries,
	       policy->n_projects, policy->infer ? " and those that groups infer" : "",
	       policy->digest);
	ces_policy_free(policy);
	return 0;
}
