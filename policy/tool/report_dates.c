/* When approvals begin and end: a time line, its table, and what ends soon. It must never show as
 * valid what the policy no longer allows on the day of the report. */
#include <string.h>

#include "policy/tool/report.h"
#include "policy/tool/tool.h"

#define DAY      86400
#define ROW      36
#define HEAD     20
#define ROWS_MAX 40
#define LABEL    32 /* characters that fit the picture */

/* One thing with an end. */
struct date {
	char what[700];
	const char *approval;
	time_t end; /* the first second after; 0: none */
	bool is_rule;
};

struct walk {
	struct ces_rules_walk rules;
	size_t step; /* 0: the policy; 1...: a project; then the rules */
};

/* The policy, then projects, then image rules. */
static bool next(const struct ces_report *report, struct walk *walk, struct date *ret)
{
	const struct ces_policy *p = report->policy;

	*ret = (struct date){.approval = ""};
	if (walk->step++ == 0) {
		snprintf(ret->what, sizeof(ret->what), "the policy, for its review");
		ret->approval = p->approved_by != NULL ? p->approved_by : "";
		ret->end = p->review_by;
		return true;
	}
	for (; walk->step - 2 < p->n_projects; walk->step++) {
		const struct ces_policy_project *project = &p->projects[walk->step - 2];

		if (!ces_report_about(report, project->name))
			continue;
		snprintf(ret->what, sizeof(ret->what), "%s", project->name);
		ret->end = project->expires;
		return true;
	}
	while (ces_rules_next(p, &walk->rules)) {
		const char *project = ces_rules_project(&walk->rules);

		if (walk->rules.owner != NULL && !ces_report_about(report, project))
			continue;
		snprintf(ret->what, sizeof(ret->what), "%s: %s", project, walk->rules.at->allow);
		ret->approval = walk->rules.at->approval != NULL ? walk->rules.at->approval : "";
		ret->end = ces_rules_end(&walk->rules);
		ret->is_rule = true;
		return true;
	}
	return false;
}

/* The axis: from the approval, or the report's day, to the last end, with a margin. */
struct axis {
	time_t from, to;
};

static struct axis find_axis(const struct ces_report *report)
{
	struct axis axis = {.from = report->now, .to = report->now + (time_t)365 * DAY};
	struct walk walk = {0};
	struct date date;

	if (report->policy->approved_on != 0 && report->policy->approved_on < axis.from)
		axis.from = report->policy->approved_on;
	while (next(report, &walk, &date)) {
		if (date.end != 0 && date.end < axis.from)
			axis.from = date.end - DAY;
		axis.to = date.end > axis.to ? date.end : axis.to;
	}
	return axis;
}

static double place(const struct axis *axis, time_t when)
{
	return (double)(when - axis->from) * CES_SVG_WIDTH / (double)(axis->to - axis->from);
}

static void draw_date(const struct ces_report *report, const struct axis *axis,
		      const struct date *date, size_t row)
{
	bool over = date->end != 0 && date->end <= report->now;
	time_t begin = report->policy->approved_on != 0 ? report->policy->approved_on : report->now;
	time_t end = date->end != 0 ? date->end : axis->to;
	double from = place(axis, begin < end ? begin : end - DAY), to = place(axis, end);
	double now = place(axis, report->now);
	char label[LABEL + 1], day[16];
	FILE *out = report->out;

	snprintf(label, sizeof(label), "%.*s", LABEL, date->what);
	fprintf(out, "<text x=\"0\" y=\"%zu\">", HEAD + row * ROW + 13);
	ces_report_text(out, label);
	fprintf(out, "%s: %s%s</text>\n", strlen(date->what) > LABEL ? "..." : "",
		over             ? "ended "
		: date->end != 0 ? "until "
				 : "no end",
		date->end != 0 ? ces_tool_day(date->end, day) : "");
	fprintf(out, "<rect class=\"%s\" x=\"%.1f\" y=\"%zu\" width=\"%.1f\" height=\"10\"/>\n",
		over ? "denied" : "good", from, HEAD + row * ROW + 18,
		to - from < 2 ? 2 : to - from);
	fprintf(out, "<line class=\"now\" x1=\"%.1f\" y1=\"%zu\" x2=\"%.1f\" y2=\"%zu\"/>\n", now,
		HEAD + row * ROW + 16, now, HEAD + row * ROW + 30);
}

static void picture(const struct ces_report *report, size_t n)
{
	struct axis axis = find_axis(report);
	size_t rows = n < ROWS_MAX ? n : ROWS_MAX;
	struct walk walk = {0};
	struct date date;
	FILE *out = report->out;
	char day[16];
	double now = place(&axis, report->now);

	ces_svg_begin(out, "time-line", "Time line of approvals and their ends", HEAD + rows * ROW);
	for (size_t i = 0; i < rows && next(report, &walk, &date); i++) {
		fputs(i > 0 ? "; " : "", out);
		ces_report_text(out, date.what);
		fprintf(out, ": %s", date.end != 0 ? ces_tool_day(date.end, day) : "no end");
	}
	fprintf(out, "</desc>\n<text x=\"%.1f\" y=\"13\"%s>%s, this report</text>\n", now,
		now > CES_SVG_WIDTH / 2.0 ? " text-anchor=\"end\"" : "",
		ces_tool_day(report->now + 1, day));
	walk = (struct walk){0};
	for (size_t i = 0; i < rows && next(report, &walk, &date); i++)
		draw_date(report, &axis, &date, i);
	fputs("</svg>\n", out);
	if (rows < n)
		fprintf(out, "<p>The picture leaves out %zu dates. The table has them.</p>\n",
			n - rows);
}

static size_t dates_table(const struct ces_report *report)
{
	time_t approved = report->policy->approved_on;
	struct ces_table table;
	struct walk walk = {0};
	struct date date;
	char day[16], on[16];

	ces_table_begin(report, CES_TABLE_DATES, &table);
	while (next(report, &walk, &date))
		ces_table_row(&table,
			      (const char *const[]){
				  date.what, date.approval,
				  approved != 0 ? ces_tool_day(approved + 1, on) : "not said",
				  date.end != 0 ? ces_tool_day(date.end, day) : "no end"});
	ces_table_end(&table);
	return table.rows;
}

static void soon_table(const struct ces_report *report)
{
	struct ces_table table;
	struct walk walk = {0};
	struct date date;
	char day[16], left[CES_TABLE_CELL];

	ces_table_begin(report, CES_TABLE_SOON, &table);
	while (next(report, &walk, &date)) {
		time_t days = (date.end - report->now + DAY - 1) / DAY;

		if (date.end == 0 || days > CES_REPORT_SOON)
			continue;
		ces_table_row(&table, (const char *const[]){
					  date.what, date.approval, ces_tool_day(date.end, day),
					  date.end <= report->now
					      ? "ended"
					      : ces_table_number((uint64_t)days, left)});
	}
	ces_table_end(&table);
}

static size_t count(const struct ces_report *report)
{
	struct walk walk = {0};
	struct date date;
	size_t n = 0;

	while (next(report, &walk, &date))
		n++;
	return n;
}

void ces_report_dates(const struct ces_report *report)
{
	FILE *out = report->out;

	fputs("<section aria-labelledby=\"soon\">\n<h2 id=\"soon\">What ends soon</h2>\n", out);
	soon_table(report);
	picture(report, count(report));
	(void)dates_table(report);
	fputs("</section>\n", out);
}
