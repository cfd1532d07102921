/* Differences between two policies, each one a sentence. */
#ifndef CES_POLICY_TOOL_DIFF_H
#define CES_POLICY_TOOL_DIFF_H

#include <stdbool.h>
#include <stddef.h>

#include "policy/policy.h"

enum ces_diff_kind {
	/* somebody may do more, or for longer, or reaches or trusts something else: when no order
	 * says which of two is more, the new one is */
	CES_DIFF_WIDER,
	CES_DIFF_NARROWER, /* only less */
	CES_DIFF_OTHER,    /* what only people read */
};

struct ces_diff_line {
	enum ces_diff_kind kind;
	char *text;
};

struct ces_diff {
	struct ces_diff_line *v;
	size_t n, cap;
	bool no_memory;
};

void ces_diff_say(struct ces_diff *diff, enum ces_diff_kind kind, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

void ces_diff_policies(struct ces_diff *diff, const struct ces_policy *old,
		       const struct ces_policy *new);

struct ces_diff_who {
	const char *name;    /* "project p" */
	const char *project; /* "p"; NULL: any, so that {project} stands for itself */
};

/* diff_settings.c: what `defaults` or a project says. Paths are compared by what they mean for that
 * project, and are told as they are written. */
void ces_diff_settings(struct ces_diff *diff, const struct ces_diff_who *who,
		       const struct ces_policy_settings *old,
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
