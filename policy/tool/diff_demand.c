/* Differences between the demands of two image rules. A demand that is easier to meet is wider,
 * because more may run. */
#include "policy/tool/diff_demand.h"

#include <stdio.h>
#include <string.h>

#include "common/num.h"
#include "policy/demand.h"

static void age(struct ces_diff *diff, const char *name, uint64_t old, uint64_t new)
{
	char before[32], after[32];

	ces_num_format_time(old, before, sizeof(before));
	ces_num_format_time(new, after, sizeof(after));
	if (old == new)
		return;
	if (new == 0)
		ces_diff_say(diff, CES_DIFF_WIDER,
			     "%s: demands no scan any more; it demanded one at most %s old", name,
			     before);
	else if (old == 0)
		ces_diff_say(diff, CES_DIFF_NARROWER, "%s: demands a scan at most %s old", name,
			     after);
	else
		ces_diff_say(diff, new > old ? CES_DIFF_WIDER : CES_DIFF_NARROWER,
			     "%s: its scan may be %s old instead of %s", name, after, before);
}

static bool has(const struct ces_strings *list, const char *one)
{
	bool found = false;

	for (size_t i = 0; i < list->n && !found; i++)
		found = strcmp(list->v[i], one) == 0;
	return found;
}

/* No list allows any base. */
static void base(struct ces_diff *diff, const char *name, const struct ces_strings *old,
		 const struct ces_strings *new)
{
	if (old->n == 0 && new->n > 0)
		ces_diff_say(diff, CES_DIFF_NARROWER, "%s: demands one of %zu bases", name, new->n);
	if (old->n > 0 && new->n == 0)
		ces_diff_say(diff, CES_DIFF_WIDER,
			     "%s: demands no base any more; it demanded one of %zu", name, old->n);
	for (size_t i = 0; i < new->n && old->n > 0; i++)
		if (!has(old, new->v[i]))
			ces_diff_say(diff, CES_DIFF_WIDER, "%s: gains the base %s", name,
				     new->v[i]);
	for (size_t i = 0; i<old->n &&new->n> 0; i++)
		if (!has(new, old->v[i]))
			ces_diff_say(diff, CES_DIFF_NARROWER, "%s: loses the base %s", name,
				     old->v[i]);
}

/* Where a rule has a demand, its evidence is the list of reports that were approved: without it, a
 * statement or an SBOM counts that nobody approved. */
static void evidence(struct ces_diff *diff, const char *name,
		     const struct ces_policy_image_rule *old,
		     const struct ces_policy_image_rule *new)
{
	const char *before = old->evidence, *after = new->evidence;
	enum ces_diff_kind kind = CES_DIFF_OTHER;

	if (before == after || (before != NULL && after != NULL && strcmp(before, after) == 0))
		return;
	if (ces_demand_any(&old->demand) && ces_demand_any(&new->demand) && after == NULL)
		kind = CES_DIFF_WIDER;
	else if (ces_demand_any(&new->demand) && before == NULL)
		kind = CES_DIFF_NARROWER;
	ces_diff_say(diff, kind, "%s: evidence %s instead of %s%s", name,
		     after != NULL ? after : "none", before != NULL ? before : "none",
		     kind == CES_DIFF_WIDER ? ": reports count that nobody approved" : "");
}

void ces_diff_demand(struct ces_diff *diff, const char *name,
		     const struct ces_policy_image_rule *old,
		     const struct ces_policy_image_rule *new)
{
	const struct ces_policy_demand *before = &old->demand, *after = &new->demand;

	age(diff, name, before->max_age, after->max_age);
	for (unsigned i = 0; i < CES_FINDINGS && before->max_age > 0 && after->max_age > 0; i++) {
		bool was = (before->no & UINT64_C(1) << i) != 0;
		bool is = (after->no & UINT64_C(1) << i) != 0;

		if (was != is)
			ces_diff_say(diff, was ? CES_DIFF_WIDER : CES_DIFF_NARROWER,
				     "%s: its scan %s find %s", name, was ? "may" : "may not",
				     ces_findings[i]);
	}
	if (before->unless_vex != after->unless_vex && before->no != 0 && after->no != 0)
		ces_diff_say(diff, after->unless_vex ? CES_DIFF_WIDER : CES_DIFF_NARROWER,
			     "%s: a VEX statement %s a finding", name,
			     after->unless_vex ? "excuses" : "no longer excuses");
	evidence(diff, name, old, new);
	base(diff, name, &old->base, &new->base);
	if (before->sbom != after->sbom)
		ces_diff_say(diff, before->sbom ? CES_DIFF_WIDER : CES_DIFF_NARROWER,
			     "%s: demands %s", name, before->sbom ? "no SBOM any more" : "an SBOM");
}
