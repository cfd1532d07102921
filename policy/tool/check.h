/* What is wrong with a policy, and what is unwise in it. */
#ifndef CES_POLICY_TOOL_CHECK_H
#define CES_POLICY_TOOL_CHECK_H

#include "policy/policy.h"

struct ces_problem {
	bool error; /* else a warning */
	size_t line, column;
	char *path, *text, *hint; /* hint: what to write, or "" */
};

struct ces_problems {
	struct ces_problem *v;
	size_t n, cap;
	bool no_memory;
};

void ces_problems_add(struct ces_problems *problems, bool error, const char *path, const char *hint,
		      const char *format, ...) __attribute__((format(printf, 5, 6)));

void ces_problems_free(struct ces_problems *problems);

/* Everything that a policy may say and probably should not. */
void ces_check_warn(struct ces_problems *problems, const struct ces_policy *policy, time_t now);

/* The same for data directories of projects that are not apart (warn_paths.c). */
void ces_check_warn_paths(struct ces_problems *problems, const struct ces_policy *policy);

/* And for what this machine has: members, files, ids of others (warn_host.c). */
void ces_check_warn_host(struct ces_problems *problems, const struct ces_policy *policy);

/* What to write for a fault of the parser: an example of the key, or the key that was meant. ""
 * when nothing is known. */
const char *ces_check_hint(const char *path, const char *text, char *buffer, size_t size);

#endif
