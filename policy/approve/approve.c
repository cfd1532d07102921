/* ces-policy approve: adds an image rule for one digest, with its approval, its end, and its
 * evidence. It must not judge the evidence: it shows it to the person who approves. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/quantity.h"
#include "policy/approve/change.h"
#include "policy/evidence/store.h"
#include "policy/tool/rules.h"
#include "policy/tool/tool.h"
#include "policy/valid.h"

static const char help[] =
    "usage: ces-policy approve --project P|--inferred --approval NUMBER [--expires DATE]\n"
    "           [--evidence DIR | --no-evidence] [--dry-run] FILE IMAGE@sha256:...\n"
    "Adds a rule for one image to a policy: its digest, the approval, the last day, and the "
    "digest\n"
    "of its evidence. Shows the evidence and what changes by meaning. Leaves every other line of\n"
    "the file as it is. The rule takes effect when you install the file. DIR is evidence.d beside\n"
    "the policy by default. Exit status: 0 done, 2 refused.\n";

struct approval {
	struct ces_reference reference;
	char allow[520];
	const struct ces_policy_image_rules *rules;
	time_t project_expires;
	size_t index;
};

static int find_rules(const struct ces_change *change, const struct ces_policy *policy,
		      struct approval *ret, struct ces_error *err)
{
	if (change->inferred && !policy->infer)
		return ces_error_set(err, CES_E_NOTFOUND, "the policy infers no projects");
	ret->rules = &policy->infer_images;
	for (size_t i = 0; !change->inferred && i < policy->n_projects; i++) {
		if (strcmp(policy->projects[i].name, change->project) != 0)
			continue;
		ret->rules = &policy->projects[i].images;
		ret->project_expires = policy->projects[i].expires;
		return 0;
	}
	return change->inferred ? 0
				: ces_error_set(err, CES_E_NOTFOUND, "the policy has no project %s",
						change->project);
}

static int check_image(const struct ces_change *change, const struct ces_policy *policy,
		       struct approval *ret, struct ces_error *err)
{
	size_t i = 0;

	if (ces_reference_parse(change->image, &ret->reference, err) != 0)
		return -1;
	if (ret->reference.digest[0] == '\0')
		return ces_error_set(err, CES_E_USAGE,
				     "%s has no digest: an approval is for one image, "
				     "NAME@sha256:...",
				     change->image);
	while (i < policy->n_registries &&
	       strcmp(policy->registries[i].name, ret->reference.registry) != 0)
		i++;
	if (i == policy->n_registries)
		return ces_error_set(err, CES_E_USAGE,
				     "the registry %s is not in \"registries\": nobody could "
				     "pull the image",
				     ret->reference.registry);
	snprintf(ret->allow, sizeof(ret->allow), "%s/%s", ret->reference.registry,
		 ret->reference.repository);
	return 0;
}

static int check_dates(const struct ces_change *change, const struct approval *approval,
		       struct ces_error *err)
{
	time_t end = 0;

	if (change->expires == NULL && approval->project_expires == 0)
		return ces_error_set(
		    err, CES_E_USAGE,
		    "neither the rule nor the project has an end: type --expires DATE");
	if (change->expires != NULL && ces_num_parse_date(change->expires, &end) != 0)
		return ces_error_set(err, CES_E_USAGE, "--expires: write 2027-06-30");
	if ((end != 0 && end <= change->now) ||
	    (approval->project_expires != 0 && approval->project_expires <= change->now))
		return ces_error_set(err, CES_E_USAGE, "the %s has passed already",
				     end != 0 && end <= change->now ? "day of --expires"
								    : "last day of the project");
	return 0;
}

/* Before the first rule that would decide in its place, if only until that one ends; otherwise at
 * the end. */
static int find_index(struct approval *ret, struct ces_error *err)
{
	struct ces_policy_image_rule rule = {.allow = ret->allow, .digest = ret->reference.digest};

	ret->index = ret->rules->n;
	for (size_t i = ret->rules->n; i > 0; i--) {
		const struct ces_policy_image_rule *one = &ret->rules->v[i - 1];

		if (one->digest != NULL && strcmp(one->digest, rule.digest) == 0 &&
		    strcmp(one->allow, rule.allow) == 0)
			return ces_error_set(err, CES_E_USAGE,
					     "images[%zu] is a rule for this image already, by %s: "
					     "type ces-policy revoke first",
					     i - 1,
					     one->approval != NULL ? one->approval : "no approval");
		if ((one->digest == NULL || strcmp(one->digest, rule.digest) == 0) &&
		    ces_rules_cover(one->allow, rule.allow))
			ret->index = i - 1;
	}
	return 0;
}

static int print_record(void *context, const char *record, const struct ces_evidence *evidence)
{
	char text[1024];

	(void)context;
	(void)record;
	ces_evidence_say(evidence, text, sizeof(text));
	printf("  %s\n", text);
	return 0;
}

static int take_evidence(const struct ces_change *change, const struct approval *approval,
			 struct ces_change_result *ret, char set[CES_DIGEST_LENGTH + 1],
			 struct ces_error *err)
{
	const char *digest = approval->reference.digest;
	size_t n = 0;

	if (change->no_evidence)
		return 0;
	if (ces_store_set(change->evidence_dir, digest, &ret->set, &ret->set_length, set, &n,
			  err) != 0)
		return -1;
	if (n == 0)
		return ces_error_set(err, CES_E_NOTFOUND,
				     "there is no evidence about this image in %s: type ces-policy "
				     "evidence add --evidence %s REPORT, or --no-evidence",
				     change->directory, change->directory);
	memcpy(ret->digest, digest, sizeof(ret->digest));
	printf("evidence of %s (%zu report%s):\n", digest, n, n == 1 ? "" : "s");
	return ces_store_records(change->evidence_dir, digest, print_record, NULL, err);
}

/* A wider rule that comes later decides when this one has ended. */
static void warn_wider(const struct approval *approval, time_t now)
{
	for (size_t i = 0; i < approval->rules->n; i++) {
		const struct ces_policy_image_rule *rule = &approval->rules->v[i];

		if (rule->digest == NULL && rule->signed_by.keys.n == 0 && rule->base.n == 0 &&
		    (rule->expires == 0 || rule->expires > now) &&
		    ces_rules_cover(rule->allow, approval->allow))
			printf("note: the rule %s allows every image of this name, with or without "
			       "this one\n",
			       rule->allow);
	}
}

static int make(const struct ces_change *change, const char *bytes, size_t length,
		const struct ces_policy *policy, struct ces_change_result *ret,
		struct ces_error *err)
{
	const struct ces_edit_text text = {bytes, length,
					   change->inferred ? NULL : change->project};
	struct approval approval = {.index = 0};
	char set[CES_DIGEST_LENGTH + 1] = "";
	struct ces_edit_rule rule = {.approval = change->approval, .expires = change->expires};

	if (find_rules(change, policy, &approval, err) != 0 ||
	    check_image(change, policy, &approval, err) != 0 ||
	    check_dates(change, &approval, err) != 0 || find_index(&approval, err) != 0 ||
	    take_evidence(change, &approval, ret, set, err) != 0)
		return -1;
	rule.allow = approval.allow;
	rule.digest = approval.reference.digest;
	rule.evidence = set[0] != '\0' ? set : NULL;
	if (ces_edit_add(&text, approval.index, &rule, &ret->policy, &ret->policy_length, err) != 0)
		return -1;
	warn_wider(&approval, change->now);
	return ces_change_say(policy, ret, 1, err);
}

static int check_options(const struct ces_change *change)
{
	if ((change->project == NULL) == !change->inferred) {
		fprintf(stderr, "ces-policy: name the project with --project, or --inferred\n");
		return -1;
	}
	if (change->approval == NULL || !ces_valid_short(change->approval)) {
		fprintf(stderr, "ces-policy: write --approval IG-2026-014, up to 127 plain "
				"characters\n");
		return -1;
	}
	if (change->directory != NULL && change->no_evidence) {
		fprintf(stderr, "ces-policy: --evidence and --no-evidence exclude each other\n");
		return -1;
	}
	return 0;
}

int ces_tool_approve(int argc, char **argv)
{
	static const struct ces_change_command command = {help, "piadxen"};
	struct ces_change change = {.now = time(NULL)};
	int status = ces_change_options(argc, argv, &command, &change);

	if (status != 0)
		return status > 0 ? CES_TOOL_GOOD : ces_tool_usage("approve");
	if (argc - optind != 2) {
		fprintf(stderr, "ces-policy: name one policy, and one image by its digest\n");
		return ces_tool_usage("approve");
	}
	if (check_options(&change) != 0)
		return ces_tool_usage("approve");
	change.policy = argv[optind];
	change.image = argv[optind + 1];
	return ces_tool_finish(stdout, ces_change_run(&change, make));
}
