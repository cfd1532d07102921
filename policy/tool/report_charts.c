/* Pictures of the report: inline SVG, which loads nothing. Each picture has its numbers in words
 * and in a table below it. Its parts differ by pattern, so that people need neither colour nor
 * sight. */
#include <string.h>

#include "common/cleanup.h"
#include "policy/tool/report.h"
#include "policy/tool/tool.h"

#define ROW 40

void ces_svg_begin(FILE *out, const char *id, const char *title, size_t height)
{
	fprintf(out,
		"<h3>%s</h3>\n<svg role=\"img\" aria-labelledby=\"%s-t %s-d\" viewBox=\"0 0 %d "
		"%zu\">\n<title id=\"%s-t\">%s</title>\n<desc id=\"%s-d\">",
		title, id, id, CES_SVG_WIDTH, height, id, title, id);
}

static uint64_t total(const struct ces_report_bar *bar)
{
	return bar->good + bar->failed + bar->denied;
}

static void part(FILE *out, uint64_t n, uint64_t most, double *x, size_t y, const char *kind)
{
	double width = most == 0 ? 0 : (double)n * CES_SVG_WIDTH / (double)most;

	if (n > 0)
		fprintf(out,
			"<rect class=\"%s\" x=\"%.1f\" y=\"%zu\" width=\"%.1f\" height=\"14\"/>\n",
			kind, *x, y, width < 1 ? 1 : width);
	*x += width;
}

static void bar_row(FILE *out, const struct ces_report_bar *bar, uint64_t most, size_t row)
{
	size_t y = row * ROW;
	double x = 0;

	fprintf(out, "<text x=\"0\" y=\"%zu\">", y + 14);
	ces_report_text(out, bar->name);
	fprintf(out, ": %llu", (unsigned long long)total(bar));
	if (bar->failed > 0)
		fprintf(out, ", %llu failed", (unsigned long long)bar->failed);
	if (bar->denied > 0)
		fprintf(out, ", %llu denied", (unsigned long long)bar->denied);
	fputs("</text>\n", out);
	part(out, bar->good, most, &x, y + 20, "good");
	part(out, bar->failed, most, &x, y + 20, "failed");
	part(out, bar->denied, most, &x, y + 20, "denied");
}

/* The same numbers as the picture. */
static void bar_table(const struct ces_report *report, enum ces_table_name name,
		      const struct ces_report_bar *bars, size_t n)
{
	struct ces_table table;
	char good[CES_TABLE_CELL], failed[CES_TABLE_CELL], denied[CES_TABLE_CELL];

	ces_table_begin(report, name, &table);
	for (size_t i = 0; i < n; i++)
		ces_table_row(&table, (const char *const[]){
					  bars[i].name, ces_table_number(bars[i].good, good),
					  ces_table_number(bars[i].failed, failed),
					  ces_table_number(bars[i].denied, denied)});
	ces_table_end(&table);
}

static void chart(FILE *out, const char *id, const char *title, const struct ces_report_bar *bars,
		  size_t n)
{
	uint64_t most = 0;

	for (size_t i = 0; i < n; i++)
		most = total(&bars[i]) > most ? total(&bars[i]) : most;
	ces_svg_begin(out, id, title, n * ROW);
	for (size_t i = 0; i < n; i++) {
		fputs(i > 0 ? "; " : "", out);
		ces_report_text(out, bars[i].name);
		fprintf(out, ": %llu well, %llu failed, %llu denied",
			(unsigned long long)bars[i].good, (unsigned long long)bars[i].failed,
			(unsigned long long)bars[i].denied);
	}
	fputs("</desc>\n", out);
	for (size_t i = 0; i < n; i++)
		bar_row(out, &bars[i], most, i);
	fputs("</svg>\n", out);
}

static const char legend[] =
    "<svg class=\"key\" role=\"img\" aria-label=\"Key: plain, ended well; striped, failed; "
    "outlined, denied\" viewBox=\"0 0 360 20\">\n"
    "<defs><pattern id=\"stripes\" width=\"6\" height=\"6\" patternUnits=\"userSpaceOnUse\" "
    "patternTransform=\"rotate(45)\"><rect width=\"6\" height=\"6\" fill=\"#fff\"/><rect "
    "width=\"3\" height=\"6\" fill=\"#7a2d00\"/></pattern></defs>\n"
    "<rect class=\"good\" x=\"0\" y=\"2\" width=\"14\" height=\"14\"/><text x=\"20\" "
    "y=\"14\">ended well</text>\n"
    "<rect class=\"failed\" x=\"120\" y=\"2\" width=\"14\" height=\"14\"/><text x=\"140\" "
    "y=\"14\">failed</text>\n"
    "<rect class=\"denied\" x=\"220\" y=\"2\" width=\"14\" height=\"14\"/><text x=\"240\" "
    "y=\"14\">denied</text>\n</svg>\n";

static void introduce(const struct ces_report *report)
{
	const struct ces_report_runs *runs = &report->runs;

	fprintf(report->out,
		"<p>The journal has %llu records, from %s to %s. %llu runs and %llu pulls were "
		"allowed. "
		"%llu runs have ended. %llu users asked.</p>\n",
		(unsigned long long)runs->records, report->chain.first_time, report->chain.time,
		(unsigned long long)runs->runs, (unsigned long long)runs->pulls,
		(unsigned long long)runs->ends, (unsigned long long)runs->users);
	if (runs->chosen != runs->records)
		fprintf(report->out,
			"<p>This page counts the %llu records of the chosen months and projects. A "
			"run belongs to the month in which it ended.</p>\n",
			(unsigned long long)runs->chosen);
	fprintf(report->out,
		"<p>CES compared %llu containers with their plan, before their program began. It "
		"ended %llu because they were not as planned.</p>\n",
		(unsigned long long)runs->proofs, (unsigned long long)runs->deviations);
}

void ces_report_charts(const struct ces_report *report)
{
	const struct ces_report_runs *runs = &report->runs;
	FILE *out = report->out;
	size_t projects = runs->n_projects + (runs->projects[CES_REPORT_PROJECTS].name[0] != '\0');

	fputs("<section aria-labelledby=\"runs\">\n<h2 id=\"runs\">What ran</h2>\n", out);
	if (!runs->read) {
		fputs(
		    "<p>This report was made without a journal. It says what is allowed, not what "
		    "was done. To see that too, make it with <code>--journal</code>.</p>\n"
		    "</section>\n",
		    out);
		return;
	}
	introduce(report);
	if (runs->days.n > 0) {
		fputs(legend, out);
		ces_report_days(report);
	}
	if (runs->n_months > 0) {
		ces_report_hours(report);
		chart(out, "months", "Runs by month", runs->months, runs->n_months);
		bar_table(report, CES_TABLE_MONTHS, runs->months, runs->n_months);
		chart(out, "projects", "Runs by project", runs->projects, projects);
		bar_table(report, CES_TABLE_PROJECTS, runs->projects, projects);
		chart(out, "outcomes", "Runs by outcome", runs->outcomes, runs->n_outcomes);
		bar_table(report, CES_TABLE_OUTCOMES, runs->outcomes, runs->n_outcomes);
	}
	fputs("</section>\n", out);
}
