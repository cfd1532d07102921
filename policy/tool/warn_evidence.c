/* Warns of evidence that a rule names and that is not as it was. It must not judge what the
 * evidence says. */
#include <stdio.h>

#include "policy/evidence/store.h"
#include "policy/tool/check.h"
#include "policy/tool/tool.h"

#define WARN(problems, severity, path, hint, ...)                                                  \
	ces_problems_add(problems, CES_SEVERITY_##severity, path, hint, __VA_ARGS__)

static void warn_rules(struct ces_problems *problems, const char *where,
		       const struct ces_policy_image_rules *rules, int dir)
{
	char path[CES_NAME_MAX + 64];

	for (size_t i = 0; i < rules->n; i++) {
		const struct ces_policy_image_rule *rule = &rules->v[i];
		const char *fault;

		if (rule->evidence == NULL)
			continue;
		snprintf(path, sizeof(path), "%s.images[%zu].evidence", where, i);
		if (rule->digest == NULL) {
			WARN(problems, MEDIUM, path, "write the \"digest\" that it is about",
			     "is about one image, but the rule allows any");
			continue;
		}
		fault = ces_store_verify(dir, rule->digest, rule->evidence);
		if (fault != NULL)
			WARN(
			    problems, MEDIUM, path,
			    "restore it from a copy, or revoke the rule and approve the image anew",
			    "%s", fault);
	}
}

void ces_check_warn_evidence(struct ces_problems *problems, const struct ces_policy *policy,
			     int dir)
{
	char where[CES_NAME_MAX + 16];

	for (size_t i = 0; i < policy->n_projects; i++) {
		snprintf(where, sizeof(where), "projects.%s", policy->projects[i].name);
		warn_rules(problems, where, &policy->projects[i].images, dir);
	}
	warn_rules(problems, "infer_projects", &policy->infer_images, dir);
}
