/* ces-policy revoke: removes an image rule. It must not guess which one: if several match, it lists
 * these and changes nothing. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "policy/approve/change.h"
#include "policy/tool/rules.h"
#include "policy/tool/tool.h"

static const char help[] =
    "usage: ces-policy revoke [--project P | --inferred] [--approval NUMBER] [--dry-run]\n"
    "           FILE [IMAGE[@sha256:...]]\n"
    "Removes one image rule from a policy: the one for this image, by this approval, of this\n"
    "project. Shows what changes by meaning. Leaves every other line of the file as it is, and\n"
    "keeps the evidence. Exit status: 0 done, 2 refused.\n";

/* The rule's pattern as written, with its digest after an "@". */
static bool is_image(const struct ces_policy_image_rule *rule, const char *image)
{
	const char *at = strchr(image, '@');
	size_t length = at != NULL ? (size_t)(at - image) : strlen(image);

	return strlen(rule->allow) == length && strncmp(rule->allow, image, length) == 0 &&
	       (at == NULL || (rule->digest != NULL && strcmp(rule->digest, at + 1) == 0));
}

static bool is_meant(const struct ces_change *change, const struct ces_rules_walk *walk)
{
	const struct ces_policy_image_rule *rule = walk->at;

	if ((change->inferred && walk->owner != NULL) ||
	    (change->project != NULL &&
	     (walk->owner == NULL || strcmp(walk->owner->name, change->project) != 0)))
		return false;
	if (change->approval != NULL &&
	    (rule->approval == NULL || strcmp(rule->approval, change->approval) != 0))
		return false;
	return change->image == NULL || is_image(rule, change->image);
}

static void print_rule(const struct ces_rules_walk *walk)
{
	printf("  %s images[%zu]: %s%s%s, %s\n", ces_rules_project(walk), walk->index,
	       walk->at->allow, walk->at->digest != NULL ? "@" : "",
	       walk->at->digest != NULL ? walk->at->digest : "",
	       walk->at->approval != NULL ? walk->at->approval : "no approval");
}

static int find(const struct ces_change *change, const struct ces_policy *policy,
		struct ces_rules_walk *ret, struct ces_error *err)
{
	struct ces_rules_walk walk = {0};
	size_t n = 0;

	while (ces_rules_next(policy, &walk)) {
		if (!is_meant(change, &walk))
			continue;
		if (n++ == 0)
			*ret = walk;
	}
	if (n == 0)
		return ces_error_set(err, CES_E_NOTFOUND, "the policy has no such rule");
	if (n == 1)
		return 0;
	walk = (struct ces_rules_walk){0};
	while (ces_rules_next(policy, &walk))
		if (is_meant(change, &walk))
			print_rule(&walk);
	return ces_error_set(
	    err, CES_E_USAGE,
	    "%zu rules match: name one with --project, --approval or IMAGE@sha256:...", n);
}

/* (without this rule another one may decide) */
static void warn_others(const struct ces_policy *policy, const struct ces_rules_walk *gone,
			time_t now)
{
	struct ces_rules_walk walk = {0};

	while (ces_rules_next(policy, &walk)) {
		const struct ces_policy_image_rule *rule = walk.at;

		if (rule == gone->at || walk.owner != gone->owner ||
		    (ces_rules_end(&walk) != 0 && ces_rules_end(&walk) <= now) ||
		    !ces_rules_cover(rule->allow, gone->at->allow) ||
		    (rule->digest != NULL &&
		     (gone->at->digest == NULL || strcmp(rule->digest, gone->at->digest) != 0)))
			continue;
		printf("note: the image stays allowed by another rule:\n");
		print_rule(&walk);
	}
}

static int make(const struct ces_change *change, const char *bytes, size_t length,
		const struct ces_policy *policy, struct ces_change_result *ret,
		struct ces_error *err)
{
	struct ces_edit_text text = {.bytes = bytes, .length = length};
	struct ces_rules_walk walk = {0};

	if (find(change, policy, &walk, err) != 0)
		return -1;
	text.project = walk.owner != NULL ? walk.owner->name : NULL;
	if (ces_edit_remove(&text, walk.index, &ret->policy, &ret->policy_length, err) != 0)
		return -1;
	warn_others(policy, &walk, change->now);
	return ces_change_say(policy, ret, -1, err);
}

int ces_tool_revoke(int argc, char **argv)
{
	static const struct ces_change_command command = {help, "piad"};
	struct ces_change change = {.now = time(NULL)};
	int status = ces_change_options(argc, argv, &command, &change);

	if (status != 0)
		return status > 0 ? CES_TOOL_GOOD : ces_tool_usage("revoke");
	if (argc - optind < 1 || argc - optind > 2 || (change.project != NULL && change.inferred) ||
	    (argc - optind == 1 && change.approval == NULL)) {
		fprintf(stderr, "ces-policy: name one policy, and the rule by its image or "
				"--approval\n");
		return ces_tool_usage("revoke");
	}
	change.policy = argv[optind];
	change.image = argc - optind == 2 ? argv[optind + 1] : NULL;
	return ces_tool_finish(stdout, ces_change_run(&change, make));
}
