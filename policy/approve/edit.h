/* Adds a rule to the text of a policy, or removes one. It must leave every other byte as it is, so
 * that a person commits the change and nothing else. */
#ifndef CES_POLICY_APPROVE_EDIT_H
#define CES_POLICY_APPROVE_EDIT_H

#include <stddef.h>

#include "common/error.h"

/* The words of a rule as written; NULL: not written. */
struct ces_edit_rule {
	const char *allow, *digest, *approval, *evidence, *expires;
};

/* Which list of rules: a project's, or (NULL) that of inferred projects. The text must be a policy
 * that was parsed. */
struct ces_edit_text {
	const char *bytes;
	size_t length;
	const char *project;
};

/* Puts the rule before the one at `index`, or at the end if there is none. It has the form of the
 * rules beside it. *ret is malloc'd. */
int ces_edit_add(const struct ces_edit_text *text, size_t index, const struct ces_edit_rule *rule,
		 char **ret, size_t *ret_length, struct ces_error *err);

/* Removes the rule at `index`, with its comma. */
int ces_edit_remove(const struct ces_edit_text *text, size_t index, char **ret, size_t *ret_length,
		    struct ces_error *err);

#endif
