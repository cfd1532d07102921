/* The matrix of projects by rights: one row a project, one column a right. */
#include <string.h>

#include "common/num.h"
#include "policy/tool/report.h"
#include "policy/tool/tool.h"

static const struct ces_strings nothing = {0};

static void cell(FILE *out, const char *text)
{
	fputs("<td>", out);
	ces_report_text(out, text);
	fputs("</td>", out);
}

/* Up to a screenful: a matrix is to be seen at once. */
static void list_cell(FILE *out, const struct ces_strings *first, const struct ces_strings *second)
{
	size_t n = 0, all = first->n + second->n;

	fputs("<td>", out);
	for (; n < all && n < 8; n++) {
		fputs(n > 0 ? ", " : "", out);
		ces_report_text(out, n < first->n ? first->v[n] : second->v[n - first->n]);
	}
	if (all > n)
		fprintf(out, ", and %zu more", all - n);
	fputs(all == 0 ? "none</td>" : "</td>", out);
}

static void images_cell(FILE *out, const struct ces_policy_image_rules *rules)
{
	size_t n = 0;

	fputs("<td>", out);
	for (; n < rules->n && n < 8; n++) {
		fputs(n > 0 ? "<br>" : "", out);
		ces_report_text(out, rules->v[n].allow);
		fputs(rules->v[n].digest != NULL ? " (one digest)" : "", out);
	}
	if (rules->n > n)
		fprintf(out, "<br>and %zu more", rules->n - n);
	fputs(rules->n == 0 ? "none</td>" : "</td>", out);
}

static void settings_cells(FILE *out, const struct ces_policy_settings *s, const char *until)
{
	char text[128], memory[32], time[32];

	cell(out, s->data_access == CES_ACCESS_READ_WRITE ? "read-write" : "read-only");
	list_cell(out, &s->publish, &nothing);
	cell(out, s->proxy != NULL ? s->proxy : "none");
	list_cell(out, &s->binds, &nothing);
	snprintf(text, sizeof(text), "%llu%s", (unsigned long long)s->gpus_max,
		 s->gpus_max > 0 && !s->gpu_exclusive ? ", shared" : "");
	cell(out, text);
	cell(out, s->display ? "yes" : "no");
	ces_num_format_size(s->limits.memory, memory, sizeof(memory));
	ces_num_format_time(s->limits.time, time, sizeof(time));
	snprintf(text, sizeof(text), "%g cpus, %s, %s", (double)s->limits.cpus / 1000, memory,
		 time);
	cell(out, text);
	cell(out, until);
}

static void project_row(const struct ces_report *report, const struct ces_policy_project *project)
{
	FILE *out = report->out;
	char day[16], until[32] = "no end";

	if (project->expires != 0)
		snprintf(until, sizeof(until), "%s%s",
			 report->now >= project->expires ? "ended on " : "",
			 ces_tool_day(project->expires, day));
	fputs("<tr><th scope=\"row\">", out);
	ces_report_text(out, project->name);
	if (project->title != NULL) {
		fputs("<br><span class=\"number\">", out);
		ces_report_text(out, project->title);
		fputs("</span>", out);
	}
	fputs("</th>", out);
	list_cell(out, &project->member_groups, &project->member_users);
	images_cell(out, &project->images);
	settings_cells(out, &project->settings, until);
	fputs("</tr>\n", out);
}

void ces_report_matrix(const struct ces_report *report)
{
	static const char *const columns[] = {"Project",  "Members",         "Images", "Data",
					      "Ports in", "Way out",         "Binds",  "GPUs",
					      "Display",  "Limits of a run", "Until"};
	const struct ces_policy *p = report->policy;
	FILE *out = report->out;

	fputs("<section aria-labelledby=\"matrix\">\n<h2 id=\"matrix\">Projects and rights</h2>\n"
	      "<p>This table says what the members of each project may do. The only way out to a "
	      "network is a proxy.</p>\n"
	      "<div class=\"wide\" role=\"region\" aria-label=\"Projects and rights, a table\" "
	      "tabindex=\"0\">\n<table>\n<caption>Projects by rights</caption>\n<thead><tr>",
	      out);
	for (size_t i = 0; i < sizeof(columns) / sizeof(columns[0]); i++)
		fprintf(out, "<th scope=\"col\">%s</th>", columns[i]);
	fputs("</tr></thead>\n<tbody>\n", out);
	for (size_t i = 0; i < p->n_projects; i++)
		project_row(report, &p->projects[i]);
	if (p->infer) {
		fputs("<tr><th scope=\"row\">(inferred)</th>", out);
		list_cell(out, &p->infer_prefixes, &nothing);
		images_cell(out, &p->infer_images);
		settings_cells(out, &p->defaults, "no end");
		fputs("</tr>\n", out);
	}
	fputs("</tbody>\n</table>\n</div>\n</section>\n", out);
}
