/* Warns about run profiles that nobody can use. */
#include <stdio.h>

#include "policy/tool/check.h"
#include "policy/tool/profiles.h"

#define WARN(problems, severity, hint, ...)                                                        \
	ces_problems_add(problems, CES_SEVERITY_##severity, "", hint, __VA_ARGS__)

/* How many projects may run it; err: the reason of the last other one. */
static size_t allowed(const struct ces_profile *profile, const struct ces_policy *policy,
		      time_t now, struct ces_error *err)
{
	size_t n = 0;

	for (size_t i = 0; i < policy->n_projects; i++)
		n += ces_profiles_allowed(profile, policy, &policy->projects[i], now, err);
	if (policy->infer)
		n += ces_profiles_allowed(profile, policy, NULL, now, err);
	return n;
}

void ces_check_warn_profiles(struct ces_problems *problems, const struct ces_policy *policy,
			     const struct ces_profiles *profiles, bool host, time_t now)
{
	for (size_t i = 0; i < profiles->n; i++) {
		const struct ces_profiles_one *one = &profiles->v[i];
		struct ces_error err = {0};

		if (one->fault[0] != '\0')
			WARN(problems, MEDIUM, "correct the profile: ces-client(1) lists its keys",
			     "has a run profile that ces-client refuses: %s: %s", one->name,
			     one->fault);
		else if (allowed(&one->profile, policy, now, &err) == 0)
			WARN(problems, LOW, "approve its image, or change the profile",
			     "has a run profile that no project may run: %s: %s", one->name,
			     err.text);
		if (host && one->foreign)
			WARN(problems, MEDIUM, "type: chown root:root FILE; chmod 644 FILE",
			     "has a run profile that others than root can write: %s: ces-client "
			     "refuses it",
			     one->name);
	}
	if (host && profiles->foreign)
		WARN(problems, MEDIUM, "type: chown root:root DIRECTORY; chmod 755 DIRECTORY",
		     "has a directory of run profiles that others than root can write: %s: "
		     "ces-client refuses all that is in it",
		     CES_PROFILES);
	if (profiles->n == CES_PROFILES_MAX)
		WARN(problems, LOW, "remove profiles that nobody needs",
		     "has more than %d run profiles: the others were not checked",
		     CES_PROFILES_MAX - 1);
}
