/* The run profiles of a site, beside its policy: what each asks for, and which projects may run it.
 */
#ifndef CES_POLICY_TOOL_PROFILES_H
#define CES_POLICY_TOOL_PROFILES_H

#include <time.h>

#include "policy/policy.h"
#include "policy/profile.h"

#define CES_PROFILES_MAX 256

struct ces_profiles_one {
	char name[CES_PROFILE_NAME_MAX + 1];
	char fault[CES_ERROR_TEXT]; /* ces-client refuses it: why; then there is no profile */
	bool foreign;               /* others than root could write it */
	struct ces_profile profile;
};

struct ces_profiles {
	struct ces_profiles_one *v; /* by name */
	size_t n;
	bool foreign; /* others than root could write their directory */
};

/* Opens profiles.d beside the policy; -1 if there is none. Call it while root can still read what
 * nobody else may. */
int ces_profiles_open(const char *policy, int *ret_dir, struct ces_error *err);

/* Reads all of these. Free with ces_profiles_free. */
int ces_profiles_read(int dir, struct ces_profiles *ret, struct ces_error *err);
void ces_profiles_free(struct ces_profiles *profiles);

/* Returns whether a member of the project (NULL: of an inferred one) may run it; err gives the
 * reason if not. A profile without an image asks for none: then only the project's end counts. */
bool ces_profiles_allowed(const struct ces_profile *profile, const struct ces_policy *policy,
			  const struct ces_policy_project *project, time_t now,
			  struct ces_error *err);

#endif
