/* Two pictures of the report with their tables: runs and denials by day, hours by project. They
 * must never show a number that the table below does not have.
 */
#include <string.h>

#include "common/quantity.h"
#include "policy/tool/report.h"
#include "policy/tool/tool.h"

#define DAY      86400
#define DAYS_MAX 92 /* in one picture: a quarter */
#define HEIGHT   120
#define FOOT     20
#define HEAD     20
#define BAR_ROW  40
#define BARS_MAX 40

struct span {
	time_t first, last; /* the first second of each day */
	size_t days;
	uint64_t most;
};

static time_t day_of(const struct ces_tally_row *row)
{
	time_t after;

	return ces_num_parse_date(row->words[0], &after) == 0 ? after - DAY : -1;
}

static uint64_t all_of(const struct ces_tally_row *row)
{
	return row->good + row->failed + row->denied;
}

/* The last days of the journal that fit into the picture. */
static struct span find_span(const struct ces_tally *days)
{
	struct span span = {.first = -1, .last = -1};

	for (size_t i = 0; i < days->n; i++) {
		time_t day = day_of(&days->v[i]);

		if (day < 0)
			continue;
		span.first = span.first < 0 ? day : span.first;
		span.last = day;
	}
	if (span.last - span.first >= (time_t)DAYS_MAX * DAY)
		span.first = span.last - (time_t)(DAYS_MAX - 1) * DAY;
	span.days = (size_t)((span.last - span.first) / DAY) + 1;
	for (size_t i = 0; i < days->n; i++)
		if (day_of(&days->v[i]) >= span.first && all_of(&days->v[i]) > span.most)
			span.most = all_of(&days->v[i]);
	return span;
}

static void piece(FILE *out, const char *kind, uint64_t n, const struct span *span, double x,
		  double *y)
{
	double width = (double)CES_SVG_WIDTH / (double)span->days;
	double height = (double)n * HEIGHT / (double)span->most;

	if (n == 0)
		return;
	width = width > 24 ? 24 : width;
	*y -= height;
	fprintf(out, "<rect class=\"%s\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\"/>\n",
		kind, x, *y, width * 0.9, height);
}

static void draw_days(FILE *out, const struct ces_tally *days, const struct span *span)
{
	char first[16], last[16];

	for (size_t i = 0; i < days->n; i++) {
		const struct ces_tally_row *row = &days->v[i];
		time_t day = (day_of(row) - span->first) / DAY;
		double x = (double)day * CES_SVG_WIDTH / (double)span->days;
		double y = HEAD + HEIGHT;

		if (day_of(row) < span->first)
			continue;
		piece(out, "good", row->good, span, x, &y);
		piece(out, "failed", row->failed, span, x, &y);
		piece(out, "denied", row->denied, span, x, &y);
	}
	fprintf(out,
		"<line class=\"axis\" x1=\"0\" y1=\"%d\" x2=\"%d\" y2=\"%d\"/>\n"
		"<text x=\"0\" y=\"13\">at most %llu on a day</text>\n"
		"<text x=\"0\" y=\"%d\">%s</text>\n",
		HEAD + HEIGHT, CES_SVG_WIDTH, HEAD + HEIGHT, (unsigned long long)span->most,
		HEAD + HEIGHT + FOOT - 4, ces_tool_day(span->first + 1, first));
	if (span->days > 1)
		fprintf(out, "<text x=\"%d\" y=\"%d\" text-anchor=\"end\">%s</text>\n",
			CES_SVG_WIDTH, HEAD + HEIGHT + FOOT - 4,
			ces_tool_day(span->last + 1, last));
}

static void days_table(const struct ces_report *report)
{
	const struct ces_tally *days = &report->runs.days;
	char good[CES_TABLE_CELL], failed[CES_TABLE_CELL], denied[CES_TABLE_CELL];
	struct ces_table table;

	ces_table_begin(report, CES_TABLE_DAYS, &table);
	for (size_t i = 0; i < days->n; i++)
		ces_table_row(&table,
			      (const char *const[]){days->v[i].words[0],
						    ces_table_number(days->v[i].good, good),
						    ces_table_number(days->v[i].failed, failed),
						    ces_table_number(days->v[i].denied, denied)});
	ces_table_end(&table);
}

void ces_report_days(const struct ces_report *report)
{
	const struct ces_tally *days = &report->runs.days;
	struct span span = find_span(days);
	struct ces_tally_row sum = {0};
	FILE *out = report->out;
	char first[16], last[16];

	if (span.last >= 0) {
		for (size_t i = 0; i < days->n; i++)
			if (day_of(&days->v[i]) >= span.first)
				ces_tally_add(&sum, &days->v[i]);
		ces_svg_begin(out, "by-day", "Runs and denials by day", HEAD + HEIGHT + FOOT);
		fprintf(out,
			"From %s to %s: %llu ended well, %llu failed, %llu denied. The most on one "
			"day are %llu. The table below has each day.</desc>\n",
			ces_tool_day(span.first + 1, first), ces_tool_day(span.last + 1, last),
			(unsigned long long)sum.good, (unsigned long long)sum.failed,
			(unsigned long long)sum.denied, (unsigned long long)span.most);
		draw_days(out, days, &span);
		fputs("</svg>\n", out);
	}
	days_table(report);
}

static uint64_t cpu_seconds(const struct ces_tally_row *row)
{
	return row->cpu_us / 1000000;
}

static uint64_t gpu_seconds(const struct ces_tally_row *row)
{
	return row->gpu_seconds;
}

static void hours_picture(const struct ces_report *report, const char *id, const char *title,
			  uint64_t (*seconds)(const struct ces_tally_row *))
{
	const struct ces_tally *hours = &report->runs.hours;
	size_t n = hours->n < BARS_MAX ? hours->n : BARS_MAX;
	char text[CES_TABLE_CELL];
	FILE *out = report->out;
	uint64_t most = 1;

	ces_svg_begin(out, id, title, n * BAR_ROW);
	for (size_t i = 0; i < n; i++) {
		most = seconds(&hours->v[i]) > most ? seconds(&hours->v[i]) : most;
		fputs(i > 0 ? "; " : "", out);
		ces_report_text(out, hours->v[i].words[0]);
		fprintf(out, ": %s", ces_table_hours(seconds(&hours->v[i]), text));
	}
	fputs("</desc>\n", out);
	for (size_t i = 0; i < n; i++) {
		fprintf(out, "<text x=\"0\" y=\"%zu\">", i * BAR_ROW + 14);
		ces_report_text(out, hours->v[i].words[0]);
		fprintf(out,
			": %s hours</text>\n<rect class=\"good\" x=\"0\" y=\"%zu\" width=\"%.1f\" "
			"height=\"14\"/>\n",
			ces_table_hours(seconds(&hours->v[i]), text), i * BAR_ROW + 20,
			(double)seconds(&hours->v[i]) * CES_SVG_WIDTH / (double)most);
	}
	fputs("</svg>\n", out);
	if (n < hours->n)
		fprintf(out, "<p>The picture leaves out %zu projects. The table has them.</p>\n",
			hours->n - n);
}

void ces_report_hours(const struct ces_report *report)
{
	const struct ces_tally *hours = &report->runs.hours;
	struct ces_table table;

	if (hours->n > 0) {
		hours_picture(report, "cpu-hours", "CPU hours by project", cpu_seconds);
		hours_picture(report, "gpu-hours", "GPU hours by project", gpu_seconds);
	}
	ces_table_begin(report, CES_TABLE_HOURS, &table);
	for (size_t i = 0; i < hours->n; i++) {
		const struct ces_tally_row *row = &hours->v[i];
		char runs[CES_TABLE_CELL], wall[CES_TABLE_CELL], cpu[CES_TABLE_CELL],
		    gpu[CES_TABLE_CELL];

		ces_table_row(&table,
			      (const char *const[]){row->words[0],
						    ces_table_number(row->good + row->failed, runs),
						    ces_table_hours(row->seconds, wall),
						    ces_table_hours(cpu_seconds(row), cpu),
						    ces_table_hours(gpu_seconds(row), gpu)});
	}
	ces_table_end(&table);
}
