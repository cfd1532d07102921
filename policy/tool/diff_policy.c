/* Differences between projects, image rules, registries and the rest of two policies. It must
 * report as a change, and never leave out, what has no order. */
#include <stdio.h>
#include <string.h>
#include <stdlib.h>

#include "policy/tool/diff_policy.h"
#include "common/cleanup.h"
#include "common/name.h"
#include "policy/demand.h"
#include "policy/parse.h"
#include "policy/tool/diff_demand.h"
#include "policy/tool/diff_settings.h"
#include "policy/tool/rules.h"
#include "policy/tool/signers.h"
#include "policy/tool/tool.h"
#include "policy/demand_text.h"

/* 0 is never: the latest of all. */
static bool later(time_t a, time_t b)
{
	return a != b && (a == 0 || (b != 0 && a > b));
}

static const char *day(time_t expires, char buffer[16])
{
	return expires == 0 ? "never" : ces_tool_day(expires, buffer);
}

static void expiry(struct ces_diff *diff, const char *who, time_t old, time_t new)
{
	char before[16], after[16];

	if (old == new)
		return;
	ces_diff_say(diff, later(new, old) ? CES_DIFF_WIDER : CES_DIFF_NARROWER,
		     "%s expires %s: %s instead of %s", who, later(new, old) ? "later" : "earlier",
		     day(new, after), day(old, before));
}

static bool same_text(const char *a, const char *b)
{
	return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

static const char *or_none(const char *text)
{
	return text != NULL ? text : "none";
}

/* Compares the n-th of several rules for one pattern and digest with the n-th. */
static const struct ces_policy_image_rule *counterpart(const struct ces_policy_image_rules *in,
						       const struct ces_policy_image_rules *of,
						       size_t index)
{
	const struct ces_policy_image_rule *rule = &of->v[index];
	size_t skip = 0;

	for (size_t i = 0; i < index; i++)
		skip += strcmp(of->v[i].allow, rule->allow) == 0 &&
			same_text(of->v[i].digest, rule->digest);
	for (size_t i = 0; i < in->n; i++)
		if (strcmp(in->v[i].allow, rule->allow) == 0 &&
		    same_text(in->v[i].digest, rule->digest) && skip-- == 0)
			return &in->v[i];
	return NULL;
}

static void say_rule(struct ces_diff *diff, enum ces_diff_kind kind, const char *who,
		     const char *verb, const struct ces_policy_image_rule *rule)
{
	char until[16], demand[CES_DEMAND_TEXT], signers[CES_SIGNERS_TEXT];

	ces_demand_say(&rule->demand, demand, sizeof(demand));
	ces_diff_say(diff, kind, "%s %s %s%s%s (%s%s%s%s%s%s%s%s)", who, verb, rule->allow,
		     rule->digest != NULL ? " at " : "", rule->digest != NULL ? rule->digest : "",
		     rule->approval != NULL ? "approval " : "no approval",
		     rule->approval != NULL ? rule->approval : "",
		     rule->evidence != NULL ? " with evidence" : "",
		     ces_signers_text(&rule->signed_by, ", only if ", signers),
		     rule->expires != 0 ? ", until " : ", no end",
		     rule->expires != 0 ? ces_tool_day(rule->expires, until) : "",
		     demand[0] != '\0' ? ", demands " : "", demand);
}

/* If the keys differ, neither covers the other: then it is wider, for the caller. */
static void signers(struct ces_diff *diff, const char *name, const struct ces_policy_signers *old,
		    const struct ces_policy_signers *new)
{
	bool narrower = ces_signers_cover(old, new), wider = ces_signers_cover(new, old);
	char before[CES_SIGNERS_TEXT], after[CES_SIGNERS_TEXT];

	if (!narrower || !wider)
		ces_diff_say(diff, narrower ? CES_DIFF_NARROWER : CES_DIFF_WIDER,
			     "%s: %s instead of %s", name,
			     new->keys.n > 0 ? ces_signers_text(new, "", after) : "no signature",
			     old->keys.n > 0 ? ces_signers_text(old, "", before) : "no signature");
}

static void same_rule(struct ces_diff *diff, const char *who,
		      const struct ces_policy_image_rule *old,
		      const struct ces_policy_image_rule *new)
{
	char name[512];

	snprintf(name, sizeof(name), "%s: %s", who, new->allow);
	signers(diff, name, &old->signed_by, &new->signed_by);
	expiry(diff, name, old->expires, new->expires);
	if (!same_text(old->approval, new->approval))
		ces_diff_say(diff, CES_DIFF_OTHER, "%s: approval %s instead of %s", name,
			     or_none(new->approval), or_none(old->approval));
	ces_diff_demand(diff, name, old, new);
}

/* The rule that decides determines approval, digest and end for what both cover. */
static bool reordered(const struct ces_policy_image_rules *old,
		      const struct ces_policy_image_rules *new)
{
	const struct ces_policy_image_rule *last = NULL;

	for (size_t i = 0; i < new->n; i++) {
		const struct ces_policy_image_rule *rule = counterpart(old, new, i);

		if (rule == NULL)
			continue;
		if (last != NULL && rule < last)
			return true;
		last = rule;
	}
	return false;
}

static bool demands_less(const struct ces_policy_image_rule *rule,
			 const struct ces_policy_image_rule *than)
{
	struct ces_diff quiet = {0};
	bool less;

	signers(&quiet, "", &than->signed_by, &rule->signed_by);
	ces_diff_demand(&quiet, "", than, rule);
	less = quiet.no_memory;
	for (size_t i = 0; i < quiet.n; i++)
		less = less || quiet.v[i].kind == CES_DIFF_WIDER;
	ces_diff_free(&quiet);
	return less;
}

static bool other_digest(const struct ces_policy_image_rule *a,
			 const struct ces_policy_image_rule *b)
{
	return a->digest != NULL && b->digest != NULL && strcmp(a->digest, b->digest) != 0;
}

/* A rule whose demand is not met denies, and later rules are not tried. So where such a rule goes,
 * or ends earlier, a later one that demands less allows more. */
static void uncovered(struct ces_diff *diff, const char *who,
		      const struct ces_policy_image_rules *old,
		      const struct ces_policy_image_rules *new, size_t index)
{
	const struct ces_policy_image_rule *gone = &old->v[index];
	const struct ces_policy_image_rule *left = counterpart(new, old, index);
	time_t from = left != NULL ? left->expires : time(NULL);

	if ((left != NULL && !later(gone->expires, left->expires)) ||
	    (gone->expires != 0 && gone->expires <= from))
		return;
	for (size_t i = 0; i < new->n; i++) {
		const struct ces_policy_image_rule *rule = &new->v[i];
		const struct ces_policy_image_rule *before = counterpart(old, new, i);

		/* (a new rule is a gain already; an earlier one decided before, too) */
		if (before == NULL || before <= gone || other_digest(rule, gone) ||
		    (rule->expires != 0 && rule->expires <= from) ||
		    !ces_rules_meet(rule->allow, gone->allow) || !demands_less(rule, gone))
			continue;
		ces_diff_say(diff, CES_DIFF_WIDER,
			     "%s: %s decides in place of %s%s%s, and demands less", who,
			     rule->allow, gone->allow, gone->digest != NULL ? " at " : "",
			     gone->digest != NULL ? gone->digest : "");
	}
}

static void images(struct ces_diff *diff, const char *who, const struct ces_policy_image_rules *old,
		   const struct ces_policy_image_rules *new)
{
	for (size_t i = 0; i < new->n; i++) {
		const struct ces_policy_image_rule *before = counterpart(old, new, i);

		if (before == NULL)
			say_rule(diff, CES_DIFF_WIDER, who, "gains", &new->v[i]);
		else
			same_rule(diff, who, before, &new->v[i]);
	}
	for (size_t i = 0; i < old->n; i++) {
		if (counterpart(new, old, i) == NULL)
			say_rule(diff, CES_DIFF_NARROWER, who, "loses", &old->v[i]);
		uncovered(diff, who, old, new, i);
	}
	if (reordered(old, new))
		ces_diff_say(diff, CES_DIFF_WIDER,
			     "%s: image rules are in another order (the first that covers an "
			     "image decides)",
			     who);
}

static void project(struct ces_diff *diff, const struct ces_policy_project *old,
		    const struct ces_policy_project *new)
{
	char who[CES_NAME_MAX + 16];

	snprintf(who, sizeof(who), "project %s", new->name);
	ces_diff_lists(diff, who, "the member group", &old->member_groups, &new->member_groups);
	ces_diff_lists(diff, who, "the member", &old->member_users, &new->member_users);
	expiry(diff, who, old->expires, new->expires);
	images(diff, who, &old->images, &new->images);
	ces_diff_settings(diff, &(struct ces_diff_who){who, new->name}, &old->settings,
			  &new->settings);
	if (!same_text(old->title, new->title))
		ces_diff_say(diff, CES_DIFF_OTHER, "%s: title \"%s\" instead of \"%s\"", who,
			     or_none(new->title), or_none(old->title));
}

/* Shows what a new or removed project may do: its members, its images, and what a new one has more
 * than the least. */
static void whole_project(struct ces_diff *diff, const struct ces_policy *least,
			  enum ces_diff_kind kind, const char *verb,
			  const struct ces_policy_project *project)
{
	const struct ces_strings nobody = {NULL, 0}, *groups = &project->member_groups,
				 *users = &project->member_users;
	const bool gone = kind == CES_DIFF_NARROWER;
	struct ces_policy_settings base = least->defaults;
	char who[CES_NAME_MAX + 16], until[16];

	snprintf(who, sizeof(who), "project %s", project->name);
	ces_diff_say(
	    diff, kind, "%s is %s: groups %zu, users %zu, data %s, %s, expires %s", who, verb,
	    project->member_groups.n, project->member_users.n, project->settings.data_source,
	    project->settings.data_access == CES_ACCESS_READ_WRITE ? "read-write" : "read-only",
	    day(project->expires, until));
	for (size_t i = 0; i < project->images.n; i++)
		say_rule(diff, kind, who, kind == CES_DIFF_WIDER ? "gains" : "loses",
			 &project->images.v[i]);
	ces_diff_lists(diff, who, "the member group", gone ? groups : &nobody,
		       gone ? &nobody : groups);
	ces_diff_lists(diff, who, "the member", gone ? users : &nobody, gone ? &nobody : users);
	/* (the line above has these two) */
	base.data_source = project->settings.data_source;
	base.data_access = project->settings.data_access;
	if (!gone)
		ces_diff_new_settings(diff, &(struct ces_diff_who){who, project->name}, &base,
				      &project->settings);
}

struct ref {
	const struct ces_policy_project *project;
};

static int by_name(const void *left, const void *right)
{
	const struct ref *a = left, *b = right;

	return strcmp(a->project->name, b->project->name);
}

/* References to the projects, sorted by name, so that 10,000 projects are compared quickly. */
static struct ref *sorted(struct ces_diff *diff, const struct ces_policy *policy)
{
	struct ref *v = calloc(policy->n_projects + 1, sizeof(*v));

	diff->no_memory = diff->no_memory || v == NULL;
	for (size_t i = 0; v != NULL && i < policy->n_projects; i++)
		v[i].project = &policy->projects[i];
	if (v != NULL)
		qsort(v, policy->n_projects, sizeof(*v), by_name);
	return v;
}

static void projects(struct ces_diff *diff, const struct ces_policy *least,
		     const struct ces_policy *old, const struct ces_policy *new)
{
	CES_CLEANUP_FREE struct ref *before = sorted(diff, old);
	CES_CLEANUP_FREE struct ref *after = sorted(diff, new);
	size_t i = 0, j = 0;

	if (before == NULL || after == NULL)
		return;
	while (i < old->n_projects || j < new->n_projects) {
		int order = i == old->n_projects   ? 1
			    : j == new->n_projects ? -1
						   : by_name(&before[i], &after[j]);

		if (order < 0 && new->infer)
			ces_diff_say(
			    diff, CES_DIFF_WIDER,
			    "project %s is no longer written, so that a group may imply it",
			    before[i].project->name);
		if (order < 0)
			whole_project(diff, least, CES_DIFF_NARROWER, "gone", before[i].project);
		else if (order > 0)
			whole_project(diff, least, CES_DIFF_WIDER, "new", after[j].project);
		else
			project(diff, before[i].project, after[j].project);
		i += order <= 0;
		j += order >= 0;
	}
}

static void registry(struct ces_diff *diff, const struct ces_policy_registry *old,
		     const struct ces_policy_registry *new)
{
	static const char *const words[] = {
	    [CES_CREDENTIALS_REQUIRED] = "is required",
	    [CES_CREDENTIALS_OPTIONAL] = "is optional",
	    [CES_CREDENTIALS_NONE] = "is not asked for",
	};
	char who[300];

	snprintf(who, sizeof(who), "registry %s", new->name);
	if (!ces_diff_same_host(old->endpoint, new->endpoint))
		ces_diff_say(diff, CES_DIFF_WIDER, "%s: reached at %s instead of %s", who,
			     new->endpoint, old->endpoint);
	if (!same_text(old->ca_file, new->ca_file))
		ces_diff_say(diff, CES_DIFF_WIDER, "%s: trusted by %s instead of %s", who,
			     new->ca_file != NULL ? new->ca_file : "the system's authorities",
			     old->ca_file != NULL ? old->ca_file : "the system's authorities");
	if (old->credentials != new->credentials)
		ces_diff_say(
		    diff, new->credentials > old->credentials ? CES_DIFF_WIDER : CES_DIFF_NARROWER,
		    "%s: a login %s", who, words[new->credentials]);
	if (!same_text(old->proxy, new->proxy))
		ces_diff_say(diff, new->proxy != NULL ? CES_DIFF_WIDER : CES_DIFF_OTHER,
			     "%s: reached through %s instead of %s", who,
			     new->proxy != NULL ? new->proxy : "no proxy",
			     old->proxy != NULL ? old->proxy : "no proxy");
	ces_diff_hosts(diff, who, "the token host", &old->token_hosts, &new->token_hosts);
}

static const struct ces_policy_registry *find(const struct ces_policy *policy, const char *name)
{
	for (size_t i = 0; i < policy->n_registries; i++)
		if (strcmp(policy->registries[i].name, name) == 0)
			return &policy->registries[i];
	return NULL;
}

static void registries(struct ces_diff *diff, const struct ces_policy *old,
		       const struct ces_policy *new)
{
	for (size_t i = 0; i < new->n_registries; i++) {
		const struct ces_policy_registry *before = find(old, new->registries[i].name);

		if (before != NULL)
			registry(diff, before, &new->registries[i]);
		else
			ces_diff_say(diff, CES_DIFF_WIDER, "registry %s is new, at %s",
				     new->registries[i].name, new->registries[i].endpoint);
	}
	for (size_t i = 0; i < old->n_registries; i++)
		if (find(new, old->registries[i].name) == NULL)
			ces_diff_say(diff, CES_DIFF_NARROWER, "registry %s is gone",
				     old->registries[i].name);
}

static void inferred(struct ces_diff *diff, const struct ces_policy *old,
		     const struct ces_policy *new)
{
	static const char who[] = "any inferred project";

	if (old->infer != new->infer)
		ces_diff_say(diff, new->infer ? CES_DIFF_WIDER : CES_DIFF_NARROWER,
			     "projects are %s from groups and directories below %s",
			     new->infer ? "now inferred" : "no longer inferred",
			     new->infer ? new->infer_base : old->infer_base);
	else if (new->infer && strcmp(old->infer_base, new->infer_base) != 0)
		ces_diff_say(diff, CES_DIFF_WIDER, "%s: below %s instead of %s", who,
			     new->infer_base, old->infer_base);
	ces_diff_lists(diff, who, "the group prefix", &old->infer_prefixes, &new->infer_prefixes);
	images(diff, who, &old->infer_images, &new->infer_images);
}

static void text(struct ces_diff *diff, enum ces_diff_kind kind, const char *what, const char *old,
		 const char *new)
{
	if (!same_text(old, new))
		ces_diff_say(diff, kind, "%s: \"%s\" instead of \"%s\"", what, or_none(new),
			     or_none(old));
}

static void date(struct ces_diff *diff, const char *what, time_t old, time_t new)
{
	char before[16], after[16];

	text(diff, CES_DIFF_OTHER, what, old == 0 ? NULL : ces_tool_day(old, before),
	     new == 0 ? NULL : ces_tool_day(new, after));
}

static void host(struct ces_diff *diff, const struct ces_policy *old, const struct ces_policy *new)
{
	text(diff, CES_DIFF_WIDER, "host: runtime", old->runtime, new->runtime);
	text(diff, CES_DIFF_WIDER, "host: cgroup parent",
	     old->cgroup_path != NULL ? old->cgroup_path : "auto",
	     new->cgroup_path != NULL ? new->cgroup_path : "auto");
	ces_diff_user_limits(diff, &old->user_limits, &new->user_limits);
	ces_diff_store(diff, &old->store, &new->store);
	if (old->subid_first != new->subid_first || old->subid_per_user != new->subid_per_user ||
	    old->subid_users != new->subid_users)
		ces_diff_say(diff, CES_DIFF_WIDER,
			     "host: subordinate ids from %llu, %llu for each of %llu users",
			     (unsigned long long)new->subid_first,
			     (unsigned long long)new->subid_per_user,
			     (unsigned long long)new->subid_users);
	ces_diff_lists(diff, "host", "the directory of device descriptions", &old->cdi_dirs,
		       &new->cdi_dirs);
	if (old->audit_syslog != new->audit_syslog)
		ces_diff_say(diff, new->audit_syslog ? CES_DIFF_NARROWER : CES_DIFF_WIDER,
			     "host: the journal is %s copied to syslog",
			     new->audit_syslog ? "now" : "no longer");
	text(diff, new->audit_key == NULL ? CES_DIFF_WIDER : CES_DIFF_OTHER,
	     "host: the key that signs the journal's head", old->audit_key, new->audit_key);
	if (old->selinux != new->selinux)
		ces_diff_say(
		    diff, new->selinux == CES_SELINUX_REQUIRED ? CES_DIFF_NARROWER : CES_DIFF_WIDER,
		    "host: SELinux is %s required",
		    new->selinux == CES_SELINUX_REQUIRED ? "now" : "no longer");
}

/* Where jobs are sent. The cluster says what it then allows, but not which data a job has. */
static void kubernetes(struct ces_diff *diff, const struct ces_policy_kubernetes *old,
		       const struct ces_policy_kubernetes *new)
{
	text(diff, CES_DIFF_WIDER, "kubernetes: namespace", old->namespace, new->namespace);
	text(diff, CES_DIFF_WIDER, "kubernetes: data claim", old->data_claim, new->data_claim);
	text(diff, CES_DIFF_WIDER, "kubernetes: outputs claim", old->outputs_claim,
	     new->outputs_claim);
	text(diff, CES_DIFF_WIDER, "kubernetes: pull secret", old->pull_secret, new->pull_secret);
	text(diff, CES_DIFF_OTHER, "kubernetes: queue", old->queue, new->queue);
	text(diff, CES_DIFF_OTHER, "kubernetes: GPU product", old->gpu_product, new->gpu_product);
}

void ces_diff_policies(struct ces_diff *diff, const struct ces_policy *old,
		       const struct ces_policy *new)
{
	static const char empty[] = "{\"ces_policy\":1,\"registries\":{},\"projects\":{}}";
	const struct ces_diff_who any = {"any inferred project", NULL};
	struct ces_policy *least = NULL;
	struct ces_error err;

	if (ces_policy_parse(empty, strlen(empty), &least, &err) != 0) {
		diff->no_memory = true;
		return;
	}
	projects(diff, least, old, new);
	inferred(diff, old, new);
	/* The defaults of projects show in each project. By themselves they only matter to inferred
	 * ones. */
	if (old->infer && new->infer)
		ces_diff_settings(diff, &any, &old->defaults, &new->defaults);
	else if (new->infer)
		ces_diff_new_settings(diff, &any, &least->defaults, &new->defaults);
	ces_policy_free(least);
	registries(diff, old, new);
	kubernetes(diff, &old->kubernetes, &new->kubernetes);
	host(diff, old, new);
	text(diff, CES_DIFF_OTHER, "site", old->site, new->site);
	text(diff, CES_DIFF_OTHER, "approved_by", old->approved_by, new->approved_by);
	date(diff, "approved_on", old->approved_on != 0 ? old->approved_on + 1 : 0,
	     new->approved_on != 0 ? new->approved_on + 1 : 0);
	date(diff, "review_by", old->review_by, new->review_by);
	text(diff, CES_DIFF_OTHER, "contact", old->contact, new->contact);
}
