/* Warns about what a policy may say and probably should not. It must not change what is allowed;
 * every remark ends with its remedy. */
#include <stdio.h>
#include <string.h>

#include "common/name.h"
#include "common/suggest.h"
#include "policy/tool/check.h"
#include "policy/tool/outputs.h"
#include "policy/tool/rules.h"
#include "policy/tool/signers.h"
#include "policy/tool/tool.h"

#define WARN(problems, severity, path, hint, ...)                                                  \
	ces_problems_add(problems, CES_SEVERITY_##severity, path, hint, __VA_ARGS__)

static const char end_hint[] = "write \"expires\": \"2027-06-30\"";

static bool over(time_t end, time_t now)
{
	return end != 0 && now >= end;
}

static bool registry_known(const struct ces_policy *policy, const char *allow,
			   struct ces_suggestion *best, char name[256])
{
	snprintf(name, 256, "%.*s", (int)strcspn(allow, "/"), allow);
	for (size_t i = 0; i < policy->n_registries; i++) {
		if (strcmp(policy->registries[i].name, name) == 0)
			return true;
		ces_suggest(best, name, policy->registries[i].name);
	}
	return false;
}

static void warn_registry(struct ces_problems *problems, const struct ces_policy *policy,
			  const char *path, const char *allow)
{
	struct ces_suggestion best = {0};
	char where[256], name[256], hint[400];

	if (registry_known(policy, allow, &best, name))
		return;
	snprintf(where, sizeof(where), "%s.allow", path);
	if (best.word != NULL)
		snprintf(hint, sizeof(hint), "did you mean \"%s\"?", best.word);
	else
		snprintf(hint, sizeof(hint), "add \"%s\": {} to \"registries\", or remove the rule",
			 name);
	WARN(problems, LOW, where, hint,
	     "can never match: the registry %s is not in \"registries\"", name);
}

static bool warn_shadowed(struct ces_problems *problems, const char *path,
			  const struct ces_policy_image_rules *rules, size_t index)
{
	const struct ces_policy_image_rule *rule = &rules->v[index];

	for (size_t i = 0; i < index; i++) {
		if (!ces_rules_shadow(&rules->v[i], rule))
			continue;
		WARN(problems, MEDIUM, path, "put the narrower rule first, or remove it",
		     "never decides: images[%zu] (%s) comes first and covers it%s", i,
		     rules->v[i].allow,
		     rule->digest != NULL && rules->v[i].digest == NULL
			 ? ", so the digest is not required"
			 : "");
		return true;
	}
	return false;
}

/* A rule for one digest does not deny the others: later rules are tried for these. */
static void warn_undone(struct ces_problems *problems, const char *path,
			const struct ces_policy_image_rules *rules, size_t index, time_t now)
{
	const struct ces_policy_image_rule *rule = &rules->v[index];

	for (size_t i = index + 1; i < rules->n; i++) {
		const struct ces_policy_image_rule *later = &rules->v[i];
		bool any = later->signed_by.keys.n == 0 && later->base.n == 0;
		bool less = rule->signed_by.keys.n > 0 &&
			    !ces_signers_cover(&rule->signed_by, &later->signed_by);

		if (later->digest != NULL || over(later->expires, now) || !(any || less) ||
		    !ces_rules_cover(later->allow, rule->allow))
			continue;
		WARN(problems, LOW, path,
		     "remove the later rule, or write narrower ones in its place",
		     "does not hold other digests back: images[%zu] (%s) comes later, allows them "
		     "and demands less",
		     i, later->allow);
		return;
	}
}

static void warn_rule(struct ces_problems *problems, const struct ces_policy *policy,
		      const char *path, const struct ces_policy_image_rules *rules, size_t index,
		      time_t now)
{
	const struct ces_policy_image_rule *rule = &rules->v[index];
	char day[16];

	warn_registry(problems, policy, path, rule->allow);
	if (!warn_shadowed(problems, path, rules, index) && rule->digest != NULL &&
	    !over(rule->expires, now))
		warn_undone(problems, path, rules, index, now);
	if (over(rule->expires, now))
		WARN(problems, LOW, path, "remove the rule, or renew its \"expires\"",
		     "can never match any more: it expired on %s",
		     ces_tool_day(rule->expires, day));
	if (rule->approval == NULL)
		WARN(problems, MEDIUM, path, "write \"approval\": \"IG-2026-014\"",
		     "names no approval");
}

static void warn_rules(struct ces_problems *problems, const struct ces_policy *policy,
		       const char *where, const struct ces_policy_image_rules *rules, time_t now)
{
	char path[CES_NAME_MAX + 48];

	for (size_t i = 0; i < rules->n; i++) {
		snprintf(path, sizeof(path), "%s.images[%zu]", where, i);
		warn_rule(problems, policy, path, rules, i, now);
	}
	if (rules->n == 0) {
		snprintf(path, sizeof(path), "%s.images", where);
		WARN(problems, LOW, path,
		     "write \"images\": [ { \"allow\": \"ghcr.io/group/*\" } ]", "allows nothing");
	}
}

static size_t endless(const struct ces_policy_image_rules *rules)
{
	size_t n = 0;

	for (size_t i = 0; i < rules->n; i++)
		n += rules->v[i].expires == 0;
	return n;
}

static void warn_project(struct ces_problems *problems, const struct ces_policy *policy,
			 const struct ces_policy_project *project, time_t now)
{
	const struct ces_policy_settings *settings = &project->settings;
	char path[CES_NAME_MAX + 16], day[16];

	snprintf(path, sizeof(path), "projects.%s", project->name);
	if (project->expires == 0 && endless(&project->images) > 0)
		WARN(problems, MEDIUM, path, end_hint,
		     "never expires, and %zu of its image rules have no \"expires\"",
		     endless(&project->images));
	if (over(project->expires, now))
		WARN(problems, LOW, path, "remove the project, or renew its \"expires\"",
		     "expired on %s: nothing in it is allowed",
		     ces_tool_day(project->expires, day));
	if (project->member_groups.n + project->member_users.n == 0)
		WARN(problems, LOW, path, "write \"members\": { \"groups\": [\"...\"] }",
		     "has no members");
	if (settings->data_access == CES_ACCESS_READ_WRITE && settings->publish.n > 0)
		WARN(problems, HIGH, path,
		     "make the data read-only, or publish no port, unless both were approved",
		     "has read-write data together with a published port (%s%s)",
		     settings->publish.v[0], settings->publish.n > 1 ? ", ..." : "");
	if (settings->proxy != NULL)
		WARN(problems, HIGH, path,
		     "remove \"proxy\" from \"network\", unless this way out was approved",
		     "has a way out by the proxy %s", settings->proxy);
	if (settings->display)
		WARN(problems, LOW, path,
		     "remove \"display\", unless programs with windows are needed",
		     "lets runs open windows on their user's display");
	ces_check_warn_outputs(problems, path, settings);
	warn_rules(problems, policy, path, &project->images, now);
}

static void warn_inferred(struct ces_problems *problems, const struct ces_policy *policy,
			  time_t now)
{
	const struct ces_policy_settings *settings = &policy->defaults;

	if (!policy->infer)
		return;
	if (policy->infer_prefixes.n == 0)
		WARN(problems, LOW, "infer_projects.group_prefixes",
		     "write \"group_prefixes\": [\"\"] or [\"nsh-\"], or remove it",
		     "is empty: no group infers a project");
	if (endless(&policy->infer_images) > 0)
		WARN(problems, MEDIUM, "infer_projects", end_hint,
		     "never expires: %zu of its image rules have no \"expires\"",
		     endless(&policy->infer_images));
	if (settings->data_access == CES_ACCESS_READ_WRITE && settings->publish.n > 0)
		WARN(problems, HIGH, "infer_projects",
		     "make the data read-only, or publish no port, unless both were approved",
		     "gives read-write data together with a published port (defaults)");
	if (settings->proxy != NULL)
		WARN(problems, HIGH, "infer_projects",
		     "remove \"proxy\" from \"network\", unless this way out was approved",
		     "gives a way out by the proxy %s (defaults)", settings->proxy);
	if (settings->display)
		WARN(problems, LOW, "infer_projects",
		     "remove \"display\", unless programs with windows are needed",
		     "lets runs open windows on their user's display");
	ces_check_warn_outputs(problems, "infer_projects", settings);
	warn_rules(problems, policy, "infer_projects", &policy->infer_images, now);
}

/* A total below what one run may have. */
static void warn_total(struct ces_problems *problems, const char *key, const char *project,
		       uint64_t total, uint64_t each)
{
	char path[64];

	if (total == 0 || each <= total)
		return;
	snprintf(path, sizeof(path), "host.user_limits.%s", key);
	WARN(problems, LOW, path, "raise it, or lower limits of the project",
	     "is less than limits.%s of project %s: the project's value is never reached", key,
	     project);
}

static void warn_user_limits(struct ces_problems *problems, const struct ces_policy *policy)
{
	const struct ces_policy_limits *total = &policy->user_limits;

	for (size_t i = 0; i < policy->n_projects; i++) {
		const struct ces_policy_project *project = &policy->projects[i];
		const struct ces_policy_limits *each = &project->settings.limits;

		warn_total(problems, "cpus", project->name, total->cpus, each->cpus);
		warn_total(problems, "memory", project->name, total->memory, each->memory);
		warn_total(problems, "pids", project->name, total->pids, each->pids);
		warn_total(problems, "runs", project->name, total->runs, each->runs);
	}
}

void ces_check_warn(struct ces_problems *problems, const struct ces_policy *policy, time_t now)
{
	char day[16];

	if (over(policy->review_by, now))
		WARN(problems, MEDIUM, "review_by", "review the policy, then write the next date",
		     "has passed: the policy was to be reviewed by %s",
		     ces_tool_day(policy->review_by, day));
	if (policy->review_by == 0)
		WARN(problems, MEDIUM, "", "write \"review_by\": \"2027-10-01\"",
		     "does not say when it is to be reviewed");
	if (policy->approved_on > now)
		WARN(problems, LOW, "approved_on", "write the day on which it was approved",
		     "is in the future");
	if (policy->approved_by == NULL)
		WARN(problems, MEDIUM, "", "write \"approved_by\": \"IG panel\"",
		     "does not say who approved it");
	if (!ces_path_within(policy->runtime, "/usr"))
		WARN(problems, MEDIUM, "host.runtime", "write \"/usr/bin/crun\"",
		     "is not below /usr: CES refuses every run");
	for (size_t i = 0; i < policy->n_projects; i++)
		warn_project(problems, policy, &policy->projects[i], now);
	warn_inferred(problems, policy, now);
	warn_user_limits(problems, policy);
}
