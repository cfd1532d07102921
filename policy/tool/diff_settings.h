/* Differences between two policies in what `defaults` or a project says, in limits and in lists. */
#ifndef CES_POLICY_TOOL_DIFF_SETTINGS_H
#define CES_POLICY_TOOL_DIFF_SETTINGS_H

#include <stdbool.h>

#include "policy/policy.h"
#include "policy/tool/diff_lines.h"

struct ces_diff_who {
	const char *name;    /* "project p" */
	const char *project; /* "p"; NULL: any, so that {project} means itself */
};

/* Compares paths by their meaning for that project, and shows them as they are written. */
void ces_diff_settings(struct ces_diff *diff, const struct ces_diff_who *who,
		       const struct ces_policy_settings *old,
		       const struct ces_policy_settings *new);

/* Says what settings that are new give beyond the least, the built-in ones. */
void ces_diff_new_settings(struct ces_diff *diff, const struct ces_diff_who *who,
			   const struct ces_policy_settings *least,
			   const struct ces_policy_settings *new);

void ces_diff_user_limits(struct ces_diff *diff, const struct ces_policy_limits *old,
			  const struct ces_policy_limits *new);

void ces_diff_store(struct ces_diff *diff, const struct ces_policy_store *old,
		    const struct ces_policy_store *new);

/* "who gains what ELEMENT", "who loses what ELEMENT". */
void ces_diff_lists(struct ces_diff *diff, const char *who, const char *what,
		    const struct ces_strings *old, const struct ces_strings *new);

/* The same for "host" and "host:port" of https, where ":443" makes no difference. */
void ces_diff_hosts(struct ces_diff *diff, const char *who, const char *what,
		    const struct ces_strings *old, const struct ces_strings *new);
bool ces_diff_same_host(const char *a, const char *b); /* endpoints, too */

#endif
