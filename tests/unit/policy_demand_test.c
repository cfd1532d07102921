/* Tests the last step of a decision: demands of evidence, and the evidence itself. */
#include "policy/demand.h"

#include <stdio.h>
#include <string.h>

#include "policy/evidence/judge.h"
#include "tests/unit/policy_fixture.h"

/* links: policy/evidence/judge.c policy/evidence/record.c policy/evidence/part.c policy/evidence/gather.c */
/* links: helper/unpack/json_scan.c policy/tool/say.c */

#define NOW 1800000000
#define DAY (24 * 60 * 60)

static struct ces_decision decision;
static struct ces_evidence_facts facts;
static struct ces_error err;

/* A scan from yesterday without criticals is demanded, and there is one from today. */
static void set_up(void)
{
	memset(&err, 0, sizeof(err));
	decision = (struct ces_decision){.rule = "projects.p.images[0]",
					 .locked_digest = "sha256:5f70bf18a086",
					 .demand = {.max_age = DAY, .no = 1 << CES_FOUND_CRITICAL}};
	facts = (struct ces_evidence_facts){.n_scans = 1,
					    .scans = {{.record = "sha256:aa", .made = NOW}}};
}

static void allowed(const char *evidence)
{
	ck_assert_msg(ces_decide_demand(&decision, &facts, NOW, &err) == 0, "%s", err.text);
	ck_assert_str_eq(decision.evidence, evidence);
}

static void denied(const char *rule, const char *says)
{
	ck_assert_int_lt(ces_decide_demand(&decision, &facts, NOW, &err), 0);
	ck_assert_int_eq(err.code, CES_E_DENIED);
	ck_assert_str_eq(err.rule, rule);
	ck_assert_msg(strstr(err.text, says) != NULL, "%s", err.text);
}

START_TEST(a_scan_is_valid_to_its_last_second)
{
	allowed("sha256:aa");
	facts.scans[0].made = NOW - DAY;
	allowed("sha256:aa");
	facts.scans[0].made--;
	denied("projects.p.images[0].scan.max_age", "is 24 hours old, and its rule allows 24h");
}
END_TEST

START_TEST(a_date_in_the_future_is_taken_for_a_day_and_no_longer)
{
	facts.scans[0].made = NOW + DAY;
	allowed("sha256:aa");
	facts.scans[0].made++;
	denied("projects.p.images[0].scan.max_age", "in the future");
	facts.scans[0].made = INT64_MAX;
	denied("projects.p.images[0].scan.max_age", "in the future");
	facts.scans[0].made = INT64_MIN;
	denied("projects.p.images[0].scan.max_age", "in the future");
	/* also beside a good one */
	facts.scans[0].made = NOW;
	facts.n_scans = 2;
	facts.scans[1].made = NOW + DAY + 1;
	denied("projects.p.images[0].scan.max_age", "in the future");
}
END_TEST

START_TEST(without_a_scan_there_is_no_run)
{
	facts.n_scans = 0;
	denied("projects.p.images[0].scan", "no scan of this image");
}
END_TEST

START_TEST(each_scan_that_is_young_enough_may_object)
{
	facts.n_scans = 3;
	facts.scans[1] = (struct ces_scan_facts){.made = NOW - DAY, .found = {1}};
	denied("projects.p.images[0].scan.no", "finds 1 critical");
	facts.scans[1].made--;
	allowed("sha256:aa");
	facts.scans[2] = (struct ces_scan_facts){.made = NOW - 1, .found = {0, 7, 7, 7, 0, 7}};
	allowed("sha256:aa");
}
END_TEST

START_TEST(an_excuse_counts_where_the_rule_takes_it)
{
	facts.scans[0].found[CES_FOUND_CRITICAL] = 2;
	facts.scans[0].excused[CES_FOUND_CRITICAL] = 2;
	denied("projects.p.images[0].scan.no", "finds 2 critical");
	decision.demand.unless_vex = true;
	allowed("sha256:aa");
	/* senseless numbers come from a reader that was taken over */
	facts.scans[0].excused[CES_FOUND_CRITICAL] = 3;
	denied("projects.p.images[0].scan.no", "critical");
}
END_TEST

START_TEST(more_scans_than_fit_are_not_looked_at)
{
	facts.n_scans = UINT64_MAX;
	for (size_t i = 0; i < CES_SCANS_MAX; i++)
		facts.scans[i] = facts.scans[0];
	allowed("sha256:aa");
}
END_TEST

START_TEST(an_sbom_is_demanded_alone_or_beside_a_scan)
{
	decision.demand.sbom = true;
	denied("projects.p.images[0].sbom", "no SBOM of this image");
	snprintf(facts.sbom, sizeof(facts.sbom), "sha256:bb");
	allowed("sha256:aa");
	decision.demand.max_age = 0;
	allowed("sha256:bb");
}
END_TEST

static const struct {
	const char *text;
	int64_t seconds;
} times[] = {{"2026-11-20T09:30:00Z", 1795167000},
	     {"2026-11-20T09:30:00.123456789Z", 1795167000},
	     {"2026-11-20T09:30:00+01:00", 1795167000 - 3600},
	     {"2026-11-20T09:30:00.5-02:30", 1795167000 + 9000},
	     {"2026-11-20 09:30:00", 1795167000},
	     {"2026-11-20T09:30:00+0100", 1795167000 - 3600},
	     {"2026-11-20T09:30:00+1", 0},
	     {"2026-11-20T09:30", 0},
	     {"2026-11-2", 0},
	     {"2026-11-20", 1795132800},
	     {"1970-01-01T00:00:00Z", 0},
	     {"1969-12-31", 0},
	     {"2026-13-20", 0},
	     {"2026-00-20", 0},
	     {"2026-11-32", 0},
	     {"yesterday", 0},
	     {"", 0}};

START_TEST(a_time_is_read_with_its_zone)
{
	ck_assert_int_eq(ces_judge_time(times[_i].text), times[_i].seconds);
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("demand");

	tcase_add_checked_fixture(t, set_up, NULL);
	tcase_add_test(t, a_scan_is_valid_to_its_last_second);
	tcase_add_test(t, a_date_in_the_future_is_taken_for_a_day_and_no_longer);
	tcase_add_test(t, without_a_scan_there_is_no_run);
	tcase_add_test(t, each_scan_that_is_young_enough_may_object);
	tcase_add_test(t, an_excuse_counts_where_the_rule_takes_it);
	tcase_add_test(t, more_scans_than_fit_are_not_looked_at);
	tcase_add_test(t, an_sbom_is_demanded_alone_or_beside_a_scan);
	tcase_add_loop_test(t, a_time_is_read_with_its_zone, 0, CES_COUNT(times));
	return run_suite("policy_demand", t);
}
