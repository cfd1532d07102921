/* The last step of a decision: does the evidence meet the rule's demand? It compares numbers. It
 * must never make a system call or read a clock. */
#include "policy/demand.h"

#include <stdio.h>

#include "common/num.h"

#define DAY (24 * 60 * 60)

const char *const ces_findings[CES_FINDINGS] = {
    "critical",         "high",         "medium",         "low",
    "fixable critical", "fixable high", "fixable medium", "fixable low"};

int ces_demand_deny(const struct ces_decision *decision, const char *key, const char *text,
		    struct ces_error *err)
{
	char rule[CES_RULE_TEXT];

	(void)snprintf(rule, sizeof(rule), "%.*s.%s", (int)sizeof(rule) - 16, decision->rule, key);
	return ces_error_rule(err, CES_E_DENIED, rule, "%s", text);
}

static int deny_age(const struct ces_decision *decision, int64_t age, struct ces_error *err)
{
	char text[CES_ERROR_TEXT], most[32];
	int64_t days = age / DAY;

	ces_num_format_time(decision->demand.max_age, most, sizeof(most));
	(void)snprintf(text, sizeof(text),
		       "the newest scan of %.19s... is %lld %s old, and its rule allows %s: it "
		       "needs a new scan (ces-policy evidence add)",
		       decision->locked_digest, (long long)(days > 1 ? days : age / 3600),
		       days > 1 ? "days" : "hours", most);
	return ces_demand_deny(decision, "scan.max_age", text, err);
}

/* A scan beyond the allowed age counts for nothing, whatever it found. */
static int check_findings(const struct ces_decision *decision, const struct ces_scan_facts *scan,
			  time_t now, struct ces_error *err)
{
	const struct ces_policy_demand *demand = &decision->demand;
	char text[CES_ERROR_TEXT];

	for (unsigned i = 0; i < CES_FINDINGS && now - scan->made <= (int64_t)demand->max_age;
	     i++) {
		uint64_t n = scan->found[i] - (demand->unless_vex ? scan->excused[i] : 0);

		if ((demand->no & UINT64_C(1) << i) == 0 || n == 0)
			continue;
		(void)snprintf(text, sizeof(text),
			       "a scan of %.19s... finds %llu %s, and its rule allows none%s: it "
			       "needs an image without these, or %s",
			       decision->locked_digest, (unsigned long long)n, ces_findings[i],
			       demand->unless_vex ? " but what a VEX statement excuses" : "",
			       demand->unless_vex ? "such a statement" : "another approval");
		return ces_demand_deny(decision, "scan.no", text, err);
	}
	return 0;
}

/* The rule's clock is root's: only root can move a scan's date or the clock. A date in the future
 * would never grow old, so it is refused. One day is allowed for time zones, which some tools leave
 * out. */
static int check_scans(struct ces_decision *decision, const struct ces_evidence_facts *facts,
		       time_t now, struct ces_error *err)
{
	const struct ces_scan_facts *newest = NULL;

	for (uint64_t i = 0; i < facts->n_scans && i < CES_SCANS_MAX; i++) {
		const struct ces_scan_facts *scan = &facts->scans[i];

		if (scan->made < 0 || scan->made > now + DAY)
			return ces_demand_deny(decision, "scan.max_age",
					       "a scan of this image has a date in the future: "
					       "correct the clock, or remove that report",
					       err);
		if (newest == NULL || scan->made > newest->made)
			newest = scan;
	}
	if (newest == NULL)
		return ces_demand_deny(decision, "scan",
				       "no scan of this image with a date is on this machine, and "
				       "its rule demands one (ces-policy evidence add)",
				       err);
	if (now - newest->made > (int64_t)decision->demand.max_age)
		return deny_age(decision, now - newest->made, err);
	(void)snprintf(decision->evidence, sizeof(decision->evidence), "%s", newest->record);
	for (uint64_t i = 0; i < facts->n_scans && i < CES_SCANS_MAX; i++)
		if (check_findings(decision, &facts->scans[i], now, err) < 0)
			return -1;
	return 0;
}

int ces_decide_demand(struct ces_decision *decision, const struct ces_evidence_facts *facts,
		      time_t now, struct ces_error *err)
{
	if (decision->demand.sbom && facts->sbom[0] == '\0')
		return ces_demand_deny(decision, "sbom",
				       "no SBOM of this image is on this machine, and its rule "
				       "demands one (ces-policy evidence add)",
				       err);
	if (decision->demand.max_age > 0)
		return check_scans(decision, facts, now, err);
	(void)snprintf(decision->evidence, sizeof(decision->evidence), "%s", facts->sbom);
	return 0;
}
