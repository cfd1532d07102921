/* Warns about a rule's evidence that has changed, and about a demand that is not met, or not for
 * long. The deciding functions say what is met. */
#include <stdio.h>

#include "common/num.h"
#include "policy/evidence/store.h"
#include "policy/tool/check.h"
#include "policy/tool/met.h"
#include "policy/tool/tool.h"

#define WARN(problems, severity, path, hint, ...)                                                  \
	ces_problems_add(problems, CES_SEVERITY_##severity, path, hint, __VA_ARGS__)

/* How long before its end a demand that is met gets a warning. */
static time_t soon(const struct ces_policy_demand *demand)
{
	const uint64_t week = UINT64_C(7) * 24 * 60 * 60;

	return (time_t)(demand->max_age / 4 < week ? demand->max_age / 4 : week);
}

static void warn_demand(struct ces_problems *problems, const char *path,
			const struct ces_policy_image_rule *rule, int dir, time_t now)
{
	const char *hint = "scan the image, and type: ces-policy evidence add REPORT";
	char record[CES_DIGEST_LENGTH + 1], when[32];
	struct ces_error err = {0};

	if (ces_rule_met(dir, path, rule, now, record, &err) != 0) {
		WARN(problems, MEDIUM, err.rule, hint, "denies its image now: %s", err.text);
	} else if (ces_rule_met(dir, path, rule, now + soon(&rule->demand), record, &err) != 0) {
		ces_num_format_time((uint64_t)soon(&rule->demand), when, sizeof(when));
		WARN(problems, LOW, err.rule, hint,
		     "will deny its image within %s, because its scan will be too old", when);
	}
}

static void warn_rules(struct ces_problems *problems, const char *where,
		       const struct ces_policy_image_rules *rules, int dir, time_t now)
{
	char path[CES_NAME_MAX + 64];

	for (size_t i = 0; i < rules->n; i++) {
		const struct ces_policy_image_rule *rule = &rules->v[i];
		const char *fault;

		snprintf(path, sizeof(path), "%s.images[%zu]", where, i);
		warn_demand(problems, path, rule, dir, now);
		if (rule->evidence == NULL || dir < 0)
			continue;
		snprintf(path, sizeof(path), "%s.images[%zu].evidence", where, i);
		if (rule->digest == NULL) {
			WARN(problems, MEDIUM, path, "write the \"digest\" that it is about",
			     "is about one image, but the rule allows any");
			continue;
		}
		fault = ces_store_verify(dir, rule->digest, rule->evidence);
		if (fault != NULL)
			WARN(problems, MEDIUM, path,
			     "restore it from a copy, or revoke the rule and approve the image "
			     "again",
			     "%s", fault);
	}
}

void ces_check_warn_evidence(struct ces_problems *problems, const struct ces_policy *policy,
			     int dir, time_t now)
{
	char where[CES_NAME_MAX + 16];

	for (size_t i = 0; i < policy->n_projects; i++) {
		snprintf(where, sizeof(where), "projects.%s", policy->projects[i].name);
		warn_rules(problems, where, &policy->projects[i].images, dir, now);
	}
	warn_rules(problems, "infer_projects", &policy->infer_images, dir, now);
}
