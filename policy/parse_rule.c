/* The shape of an image rule, and of its demands. It must refuse a demand that could not be checked
 * for the very image that runs. */
#include "policy/parse_rule.h"
#include "policy/rule_signed.h"

#include <string.h>

#include "common/name.h"
#include "common/quantity.h"
#include "policy/demand.h"
#include "policy/demand_text.h"
#include "policy/pattern.h"
#include "policy/policy.h"
#include "policy/valid.h"

static bool finding_valid(const char *text)
{
	return ces_finding_of(text) < CES_FINDINGS;
}

static const struct ces_field_text as_pattern = {
    ces_pattern_valid, "a pattern like registry/group/* or registry/group/**, in lower "
		       "case, without a tag, with * for whole parts only"};
static const struct ces_field_text as_digest = {ces_digest_valid,
						"sha256: and 64 lower-case hex digits"};
static const struct ces_field_text as_chain = {
    ces_digest_valid, "the ChainID of a base, sha256: and 64 lower-case hex digits, as ces-policy "
		      "conform prints it: a name proves nothing"};
static const struct ces_field_text as_short = {ces_valid_short, "up to 127 plain characters"};
static const struct ces_field_text as_finding = {
    finding_valid, "\"critical\", \"high\", \"medium\" or \"low\", or \"fixable high\" and so on"};
static const struct ces_field_measure as_age = {ces_num_parse_time, CES_SCAN_AGE_MAX,
						"a time like \"30d\", at most 3650d"};

#define ROW(k, r, member, p, ...)                                                                  \
	{                                                                                          \
		.key = (k), .read = (r), .offset = offsetof(struct ces_policy_image_rule, member), \
		.param = (p), ##__VA_ARGS__                                                        \
	}

/* A list of words becomes bits. */
static int read_findings(struct ces_fields *in, const struct ces_field_at *at, void *ret)
{
	static const struct ces_field row = {.param = &as_finding};
	const struct ces_field_at list = {.place = at->place, .value = at->value, .row = &row};
	struct ces_strings words = {NULL, 0};
	uint64_t *bits = ret;

	if (ces_field_strings(in, &list, &words) != 0)
		return -1;
	for (size_t i = 0; i < words.n; i++)
		if (words.v[i] != NULL)
			*bits |= UINT64_C(1) << ces_finding_of(words.v[i]);
	return 0;
}

/* A list without an element would allow everything or nothing, and its author meant neither. */
static int read_bases(struct ces_fields *in, const struct ces_field_at *at, void *ret)
{
	const struct ces_strings *bases = ret;

	if (ces_field_strings(in, at, ret) != 0)
		return -1;
	if (bases->n == 0 || bases->n > CES_BASES_MAX)
		return ces_field_fault(in, at, "must have 1 to %d ChainIDs", CES_BASES_MAX);
	return 0;
}

static const struct ces_field scan_rows[] = {
    ROW("max_age", ces_field_quantity, demand.max_age, &as_age, .required = true),
    ROW("no", read_findings, demand.no, NULL),
    ROW("unless_vex", ces_field_bool, demand.unless_vex, NULL),
    CES_FIELD_END,
};

static const struct ces_field image_rows[] = {
    ROW("allow", ces_field_string, allow, &as_pattern, .required = true),
    ROW("digest", ces_field_string, digest, &as_digest),
    ROW("approval", ces_field_string, approval, &as_short),
    ROW("evidence", ces_field_string, evidence, &as_digest),
    ROW("expires", ces_field_date, expires, NULL),
    {.key = "scan", .read = ces_field_object, .param = scan_rows},
    ROW("sbom", ces_field_bool, demand.sbom, NULL),
    ROW("base", read_bases, base, &as_chain),
    ROW("signed_by", ces_rule_signed, signed_by, NULL),
    CES_FIELD_END,
};

static int read_rule(struct ces_fields *in, const struct ces_field_at *at, void *ret)
{
	const struct ces_policy_image_rule *rule = ret;

	if (ces_field_object(in, at, ret) != 0)
		return -1;
	if (ces_demand_any(&rule->demand) && rule->digest == NULL)
		return ces_field_fault(in, at,
				       "needs the key \"digest\": a scan or an SBOM is about one "
				       "image");
	return 0;
}

const struct ces_field_each ces_field_images = {
    .size = sizeof(struct ces_policy_image_rule),
    .row = {.read = read_rule, .param = image_rows},
};
