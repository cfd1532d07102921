/* Finds what is wrong with a policy, and what is unwise in it. */
#ifndef CES_POLICY_TOOL_CHECK_H
#define CES_POLICY_TOOL_CHECK_H

#include "policy/policy.h"

enum ces_severity {
	CES_SEVERITY_ERROR,  /* the policy is refused */
	CES_SEVERITY_HIGH,   /* a warning: data may be seen or leave where nobody meant it */
	CES_SEVERITY_MEDIUM, /* a warning: somebody may more, or for longer, than can be shown */
	CES_SEVERITY_LOW,    /* a warning: does nothing, or something unexpected, but no harm */
};

struct ces_problem {
	enum ces_severity severity;
	size_t line, column;
	char *path, *text, *hint; /* hint: what to write, or "" */
};

struct ces_problems {
	struct ces_problem *v;
	size_t n, cap;
	bool no_memory;
};

void ces_problems_add(struct ces_problems *problems, enum ces_severity severity, const char *path,
		      const char *hint, const char *format, ...)
    __attribute__((format(printf, 5, 6)));

/* Finds the places in the text (which must be JSON) and sorts by them. */
void ces_problems_locate(struct ces_problems *problems, const char *bytes, size_t length);

void ces_problems_free(struct ces_problems *problems);

/* Finds everything that a policy may say and probably should not. */
void ces_check_warn(struct ces_problems *problems, const struct ces_policy *policy, time_t now);

/* The same for data directories of projects that are not apart (warn_paths.c). */
void ces_check_warn_paths(struct ces_problems *problems, const struct ces_policy *policy);

/* And for what this machine has: members, files, ids of other users (warn_host.c). */
void ces_check_warn_host(struct ces_problems *problems, const struct ces_policy *policy);

/* And for evidence that rules name or demand (warn_evidence.c). dir: the directory of evidence; -1:
 * none, so only demands are checked. */
void ces_check_warn_evidence(struct ces_problems *problems, const struct ces_policy *policy,
			     int dir, time_t now);

/* And for run profiles (warn_profiles.c). host: also for their owners and modes. */
struct ces_profiles;
void ces_check_warn_profiles(struct ces_problems *problems, const struct ces_policy *policy,
			     const struct ces_profiles *profiles, bool host, time_t now);

/* Says what to write for an error of the parser: an example of the key, or the intended key. "" if
 * it knows nothing. */
const char *ces_check_hint(const char *path, const char *text, char *buffer, size_t size);

#endif
