/* The matrix of projects by rights: one row a project, one column a right. */
#include <string.h>

#include "common/num.h"
#include "policy/tool/report.h"
#include "policy/tool/tool.h"

#define CELL 1024

static const struct ces_strings nothing = {0};

/* Adds a word after a comma; leaves out what has no room. */
static void append(char cell[CELL], const char *word)
{
	size_t used = strlen(cell);

	snprintf(cell + used, CELL - used, "%s%s", used > 0 ? ", " : "", word);
}

static void append_rest(char cell[CELL], size_t rest)
{
	char word[48];

	snprintf(word, sizeof(word), "and %zu more", rest);
	if (rest > 0)
		append(cell, word);
	if (cell[0] == '\0')
		append(cell, "none");
}

/* At most a screenful: people must see a matrix at once. */
static const char *list_cell(char cell[CELL], const struct ces_strings *first,
			     const struct ces_strings *second)
{
	size_t n = 0, all = first->n + second->n;

	cell[0] = '\0';
	for (; n < all && n < 8; n++)
		append(cell, n < first->n ? first->v[n] : second->v[n - first->n]);
	append_rest(cell, all - n);
	return cell;
}

static const char *images_cell(char cell[CELL], const struct ces_policy_image_rules *rules)
{
	size_t n = 0;

	cell[0] = '\0';
	for (; n < rules->n && n < 8; n++) {
		char word[400];

		snprintf(word, sizeof(word), "%s%s", rules->v[n].allow,
			 rules->v[n].digest != NULL ? " (one digest)" : "");
		append(cell, word);
	}
	append_rest(cell, rules->n - n);
	return cell;
}

/* A row's own fields. The rest is in the settings. */
struct row {
	const char *name, *title, *until;
	const struct ces_strings *groups, *users;
	const struct ces_policy_image_rules *images;
};

static void write_row(struct ces_table *table, const struct row *row,
		      const struct ces_policy_settings *s)
{
	char members[CELL], images[CELL], ports[CELL], binds[CELL], gpus[48], limits[128],
	    memory[32], time[32];

	snprintf(gpus, sizeof(gpus), "%llu%s", (unsigned long long)s->gpus_max,
		 s->gpus_max > 0 && !s->gpu_exclusive ? ", shared" : "");
	ces_num_format_size(s->limits.memory, memory, sizeof(memory));
	ces_num_format_time(s->limits.time, time, sizeof(time));
	snprintf(limits, sizeof(limits), "%g cpus, %s, %s", (double)s->limits.cpus / 1000, memory,
		 time);
	ces_table_row(
	    table, (const char *const[]){
		       row->name, row->title, list_cell(members, row->groups, row->users),
		       images_cell(images, row->images),
		       s->data_access == CES_ACCESS_READ_WRITE ? "read-write" : "read-only",
		       list_cell(ports, &s->publish, &nothing),
		       s->proxy != NULL ? s->proxy : "none", list_cell(binds, &s->binds, &nothing),
		       gpus, s->display ? "yes" : "no", limits, row->until});
}

static void project_row(const struct ces_report *report, struct ces_table *table,
			const struct ces_policy_project *project)
{
	char day[16], until[32] = "no end";

	if (project->expires != 0)
		snprintf(until, sizeof(until), "%s%s",
			 report->now >= project->expires ? "ended on " : "",
			 ces_tool_day(project->expires, day));
	write_row(table,
		  &(const struct row){project->name, project->title != NULL ? project->title : "",
				      until, &project->member_groups, &project->member_users,
				      &project->images},
		  &project->settings);
}

void ces_report_matrix(const struct ces_report *report)
{
	const struct ces_policy *p = report->policy;
	struct ces_table table;

	fputs("<section aria-labelledby=\"matrix\">\n<h2 id=\"matrix\">Projects and rights</h2>\n"
	      "<p>This table says what the members of each project may do. The only way out to a "
	      "network is a proxy.</p>\n",
	      report->out);
	ces_table_begin(report, CES_TABLE_RIGHTS, &table);
	for (size_t i = 0; i < p->n_projects; i++)
		if (ces_report_about(report, p->projects[i].name))
			project_row(report, &table, &p->projects[i]);
	if (p->infer)
		write_row(&table,
			  &(const struct row){"(inferred)", "", "no end", &p->infer_prefixes,
					      &nothing, &p->infer_images},
			  &p->defaults);
	ces_table_end(&table);
	fputs("</section>\n", report->out);
}
