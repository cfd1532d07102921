/* Finds past runs that a question is about, by the journal. Its memory must not grow with the
 * journal. */
#include <stdio.h>
#include <string.h>

#include "policy/tool/audit.h"
#include "policy/whatif/what_if.h"

/* Returns whether an affected rule allowed it. */
static bool by_rule(const struct ces_what_if *what, const struct ces_audit_row *row, bool one_image)
{
	struct ces_rules_walk walk;

	if (!ces_rules_find(what->policy, row, &walk))
		return false;
	for (size_t i = 0; i < what->n_rules; i++)
		if (what->rules[i].at.at == walk.at)
			return !one_image || walk.at->digest != NULL;
	return false;
}

/* By the digest that ran, or by that of an index, which the reference or the rule names. */
static bool is_affected(const struct ces_what_if *what, const struct ces_audit_row *row,
			const char *digest)
{
	struct ces_reference reference;
	char image[CES_REFERENCE_MAX];

	(void)ces_record_text(row->record, CES_RECORD_IMAGE, image, sizeof(image));
	return ces_what_if_has(what, digest) ||
	       (ces_reference_parse(image, &reference, NULL) == 0 &&
		ces_what_if_has(what, reference.digest)) ||
	       by_rule(what, row, true);
}

static bool is_meant(const struct ces_what_if *what, const struct ces_audit_row *row,
		     const char *digest)
{
	switch (what->what) {
	case CES_WHAT_PACKAGE:
	case CES_WHAT_CVE:
		return is_affected(what, row, digest);
	case CES_WHAT_EXPIRE:
		return by_rule(what, row, false);
	case CES_WHAT_REMOVE_USER: /* the filter asked for no others */
	default:
		return true;
	}
}

static int each(void *context, const struct ces_audit_row *row)
{
	struct ces_what_if *what = context;
	char digest[CES_DIGEST_LENGTH + 1], image[CES_REFERENCE_MAX], day[11];
	struct ces_tally_row *sum;

	if (!ces_record_is(row->record, CES_RECORD_EVENT, "decision") ||
	    !ces_record_is(row->record, CES_RECORD_VERB, "run"))
		return 0;
	(void)ces_record_text(row->record, CES_RECORD_DIGEST, digest, sizeof(digest));
	(void)ces_record_text(row->record, CES_RECORD_IMAGE, image, sizeof(image));
	(void)ces_record_text(row->record, CES_RECORD_TIME, day, sizeof(day));
	if (!is_meant(what, row, digest))
		return 0;
	sum = ces_tally_find(&what->runs,
			     (const char *const[]){row->user, row->project, image, digest});
	if (sum == NULL) {
		what->no_memory = true;
		return 0;
	}
	sum->good++;
	if (sum->first[0] == '\0' || strcmp(day, sum->first) < 0)
		memcpy(sum->first, day, sizeof(sum->first));
	if (strcmp(day, sum->last) > 0)
		memcpy(sum->last, day, sizeof(sum->last));
	return 0;
}

int ces_what_if_runs(struct ces_what_if *what, struct ces_error *err)
{
	struct ces_audit_filter filter = {.outcome = "allowed"};

	if (what->what == CES_WHAT_REMOVE_USER)
		filter.user = what->word;
	if (what->journal == NULL)
		return 0;
	if (ces_audit_filter_check(&filter, err) != 0 ||
	    ces_audit_select(what->journal, &filter, each, what, err) != 0)
		return -1;
	ces_tally_sort(&what->runs);
	return 0;
}
