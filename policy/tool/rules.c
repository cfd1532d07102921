/* Walks over the image rules of a policy, and finds the rule that allowed a record. It must not
 * decide: a record holds the decision. */
#include "policy/pattern.h"
#include "policy/tool/rules.h"

#include <string.h>

#define WORD 1100 /* an image reference fits */

bool ces_rules_next(const struct ces_policy *policy, struct ces_rules_walk *walk)
{
	for (;; walk->project++, walk->rule = 0) {
		bool inferred = walk->project == policy->n_projects;
		const struct ces_policy_image_rules *rules =
		    walk->project < policy->n_projects ? &policy->projects[walk->project].images
						       : &policy->infer_images;

		if (walk->project > policy->n_projects)
			return false;
		if (walk->rule == rules->n)
			continue;
		walk->n += walk->at != NULL;
		walk->owner = inferred ? NULL : &policy->projects[walk->project];
		walk->index = walk->rule;
		walk->at = &rules->v[walk->rule++];
		return true;
	}
}

time_t ces_rules_end(const struct ces_rules_walk *walk)
{
	time_t project = walk->owner != NULL ? walk->owner->expires : 0;

	if (project == 0 || (walk->at->expires != 0 && walk->at->expires < project))
		return walk->at->expires;
	return project;
}

const char *ces_rules_project(const struct ces_rules_walk *walk)
{
	return walk->owner != NULL ? walk->owner->name : "(inferred)";
}

/* By a policy that may not be this one. The journal has the digest of the image that ran; a rule
 * may have that of the index which led to it, and then its approval says the same. */
static bool may_have_allowed(const struct ces_policy_image_rule *rule,
			     const struct ces_reference *image, const struct ces_record *record)
{
	return ces_pattern_match(rule->allow, image->registry, image->repository) &&
	       (rule->digest == NULL || ces_record_is(record, CES_RECORD_DIGEST, rule->digest) ||
		strcmp(image->digest, rule->digest) == 0 ||
		(rule->approval != NULL &&
		 ces_record_is(record, CES_RECORD_APPROVAL, rule->approval)));
}

bool ces_rules_find(const struct ces_policy *policy, const struct ces_audit_row *row,
		    struct ces_rules_walk *ret)
{
	struct ces_rules_walk walk = {0};
	struct ces_reference reference;
	char image[WORD], name[CES_NAME_MAX + 48];
	bool same = ces_record_is(row->record, CES_RECORD_POLICY, policy->digest);
	bool owned = false;

	(void)ces_record_text(row->record, CES_RECORD_IMAGE, image, sizeof(image));
	if (ces_reference_parse(image, &reference, NULL) != 0)
		return false;
	while (ces_rules_next(policy, &walk)) {
		bool own = walk.owner != NULL && strcmp(walk.owner->name, row->project) == 0;

		owned = owned || own;
		if (!own && (walk.owner != NULL || owned))
			continue;
		snprintf(name, sizeof(name), "%s%s.images[%zu]", own ? "projects." : "",
			 own ? row->project : "infer_projects", walk.index);
		if (same ? !ces_record_is(row->record, CES_RECORD_RULE, name)
			 : !may_have_allowed(walk.at, &reference, row->record))
			continue;
		*ret = walk;
		return true;
	}
	return false;
}

bool ces_rules_cover(const char *wide, const char *narrow)
{
	for (;;) {
		size_t a = strcspn(wide, "/"), b = strcspn(narrow, "/");

		if (strcmp(wide, "**") == 0)
			return true;
		if (strcmp(narrow, "**") == 0)
			return false;
		if (!(a == 1 && *wide == '*') && (a != b || strncmp(wide, narrow, a) != 0))
			return false;
		if (wide[a] == '\0' || narrow[b] == '\0')
			return wide[a] == narrow[b];
		wide += a + 1;
		narrow += b + 1;
	}
}

bool ces_rules_meet(const char *one, const char *other)
{
	for (;;) {
		size_t a = strcspn(one, "/"), b = strcspn(other, "/");
		bool any = (a == 1 && *one == '*') || (b == 1 && *other == '*');

		if (strcmp(one, "**") == 0 || strcmp(other, "**") == 0)
			return true;
		if (!any && (a != b || strncmp(one, other, a) != 0))
			return false;
		if (one[a] == '\0' || other[b] == '\0')
			return one[a] == other[b];
		one += a + 1;
		other += b + 1;
	}
}

bool ces_rules_shadow(const struct ces_policy_image_rule *first,
		      const struct ces_policy_image_rule *second)
{
	bool digest = first->digest == NULL ||
		      (second->digest != NULL && strcmp(first->digest, second->digest) == 0);
	bool lasts =
	    first->expires == 0 || (second->expires != 0 && first->expires >= second->expires);

	return digest && lasts && ces_rules_cover(first->allow, second->allow);
}
