/* The questions of a panel, each with its table: what may run and who approved it, what ran, what
 * was denied, which images nobody used. An answer must never come from a journal that was not
 * given. */
#include <string.h>

#include "policy/tool/met.h"
#include "policy/tool/report.h"
#include "policy/tool/signers.h"
#include "policy/tool/tool.h"

static void begin(FILE *out, const char *id, const char *title)
{
	fprintf(out, "<section aria-labelledby=\"%s\">\n<h2 id=\"%s\">%s</h2>\n", id, id, title);
}

static bool about(const struct ces_report *report, const struct ces_rules_walk *walk)
{
	return walk->owner == NULL || ces_report_about(report, walk->owner->name);
}

static const char *or_empty(const char *text)
{
	return text != NULL ? text : "";
}

/* Its age, and whether it meets the rule. */
static void say_scan(const struct ces_report *report, const struct ces_policy_image_rule *rule,
		     char *buffer, size_t size)
{
	time_t scanned = ces_rule_scanned(report->evidence, rule);
	char record[CES_DIGEST_LENGTH + 1], age[48] = "none";
	struct ces_error err = {0};

	if (rule->digest == NULL)
		snprintf(age, sizeof(age), "any digest");
	else if (scanned != 0)
		snprintf(age, sizeof(age), "%lld days old",
			 (long long)(report->now - scanned) / (24 * 60 * 60));
	if (ces_rule_met(report->evidence, "", rule, report->now, record, &err) != 0)
		snprintf(buffer, size, "%s; REFUSED: %s", age, err.text);
	else
		snprintf(buffer, size, "%s%s", age,
			 record[0] != '\0' ? ", as the rule demands" : "");
}

static void may_run(const struct ces_report *report)
{
	const struct ces_policy *p = report->policy;
	struct ces_rules_walk walk = {0};
	struct ces_table table;
	char on[16], until[16], approval[160 + CES_SIGNERS_TEXT], scan[CES_ERROR_TEXT + 64];
	char signers[CES_SIGNERS_TEXT];

	begin(report->out, "may-run", "What may run, and who approved it");
	ces_table_begin(report, CES_TABLE_MAY_RUN, &table);
	while (ces_rules_next(p, &walk)) {
		time_t end = ces_rules_end(&walk);

		if (!about(report, &walk) || (end != 0 && end <= report->now))
			continue;
		snprintf(approval, sizeof(approval), "%s%s%s",
			 walk.at->approval != NULL ? walk.at->approval : "none named",
			 walk.at->evidence != NULL ? ", with evidence" : "",
			 ces_signers_text(&walk.at->signed_by, ", only if ", signers));
		say_scan(report, walk.at, scan, sizeof(scan));
		ces_table_row(
		    &table,
		    (const char *const[]){
			ces_rules_project(&walk), walk.at->allow, or_empty(walk.at->digest),
			approval, end != 0 ? ces_tool_day(end, until) : "no end",
			p->approved_by != NULL ? p->approved_by : "not said",
			p->approved_on != 0 ? ces_tool_day(p->approved_on + 1, on) : "not said",
			scan});
	}
	ces_table_end(&table);
	fputs("</section>\n", report->out);
}

static void ran(const struct ces_report *report)
{
	const struct ces_tally *rows = &report->runs.ran;
	struct ces_table table;

	begin(report->out, "ran", "What ran, for whom, and how long");
	ces_table_begin(report, CES_TABLE_RAN, &table);
	for (size_t i = 0; i < rows->n; i++) {
		const struct ces_tally_row *row = &rows->v[i];
		char runs[CES_TABLE_CELL], failed[CES_TABLE_CELL], hours[CES_TABLE_CELL],
		    cpu[CES_TABLE_CELL], gpu[CES_TABLE_CELL];

		ces_table_row(&table,
			      (const char *const[]){row->words[0], row->words[1], row->words[2],
						    ces_table_number(row->good + row->failed, runs),
						    ces_table_number(row->failed, failed),
						    ces_table_hours(row->seconds, hours),
						    ces_table_hours(row->cpu_us / 1000000, cpu),
						    ces_table_hours(row->gpu_seconds, gpu),
						    row->first, row->last});
	}
	ces_table_end(&table);
	fputs("<p>Hours count from the decision to the end. Runs that have not ended are left "
	      "out.</p>\n</section>\n",
	      report->out);
}

static void denied(const struct ces_report *report)
{
	const struct ces_tally *rows = &report->runs.denied;
	struct ces_table table;

	begin(report->out, "denied", "What was denied, and why");
	ces_table_begin(report, CES_TABLE_DENIED, &table);
	for (size_t i = 0; i < rows->n; i++) {
		const struct ces_tally_row *row = &rows->v[i];
		char times[CES_TABLE_CELL];

		ces_table_row(&table, (const char *const[]){row->words[0], row->words[1],
							    row->words[2], row->words[3],
							    ces_table_number(row->denied, times),
							    row->first, row->last});
	}
	ces_table_end(&table);
	if (report->runs.unrecorded > 0)
		fprintf(report->out,
			"<p>CES counted %llu more denials, and did not record each.</p>\n",
			(unsigned long long)report->runs.unrecorded);
	fputs("</section>\n", report->out);
}

static void unused(const struct ces_report *report)
{
	struct ces_rules_walk walk = {0};
	struct ces_table table;
	char until[16];

	begin(report->out, "unused", "Images that were never used");
	ces_table_begin(report, CES_TABLE_UNUSED, &table);
	while (ces_rules_next(report->policy, &walk)) {
		time_t end = ces_rules_end(&walk);

		if (!about(report, &walk) || report->uses[walk.n] > 0)
			continue;
		ces_table_row(
		    &table, (const char *const[]){ces_rules_project(&walk), walk.at->allow,
						  or_empty(walk.at->approval),
						  end != 0 ? ces_tool_day(end, until) : "no end"});
	}
	ces_table_end(&table);
	if (report->filter.n_months > 0)
		fputs("<p>Here an image counts as never used if nobody used it in the chosen "
		      "months.</p>\n",
		      report->out);
	fputs("</section>\n", report->out);
}

/* Shows that only a journal can answer this question. */
static void no_journal(const struct ces_report *report, const char *id, const char *title)
{
	begin(report->out, id, title);
	fputs("<p>Only a journal can say this. Make the report with <code>--journal</code>.</p>\n"
	      "</section>\n",
	      report->out);
}

void ces_report_answers(const struct ces_report *report)
{
	may_run(report);
	if (report->runs.read) {
		ran(report);
		denied(report);
	} else {
		no_journal(report, "ran", "What ran, for whom, and how long");
		no_journal(report, "denied", "What was denied, and why");
	}
	ces_report_dates(report);
	if (report->runs.read)
		unused(report);
	else
		no_journal(report, "unused", "Images that were never used");
}
