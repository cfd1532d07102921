/* The parser of the policy file. It must not be linked into root's programs, which have a policy
 * from ces-parse (policy/flat.h). */
#ifndef CES_POLICY_PARSE_H
#define CES_POLICY_PARSE_H

#include "policy/policy.h"

/* Parses and checks. All or nothing: any error refuses the whole policy (CES_E_POLICY; the text
 * names line, column and key). ces_policy_free releases *ret. */
int ces_policy_parse(const char *bytes, size_t length, struct ces_policy **ret,
		     struct ces_error *err);

/* Reports every error and not only the first (report returns 0 to go on), and never hands out a
 * policy: for people who write one. 0 if it read the whole text; -1 with err if the text is not
 * JSON. */
int ces_policy_problems(const char *bytes, size_t length,
			int (*report)(void *context, const char *path, const char *text),
			void *context, struct ces_error *err);

void ces_policy_free(struct ces_policy *policy);

#endif
