/* The page of the report: its style, head, contents, gaps, and the order of its sections. It must
 * never load anything, nor have a script. */
#include <string.h>

#include "common/cleanup.h"
#include "policy/tool/report.h"
#include "policy/tool/tool.h"
#include "policy/tool/where.h"

/* Dark on white, at least 7:1. Colour alone must never carry meaning. */
static const char style[] =
    "body{font:16px/1.5 system-ui,sans-serif;color:#111;background:#fff;margin:0 auto;"
    "max-width:56rem;padding:1rem;overflow-wrap:anywhere}\n"
    "h1{font-size:1.6rem;line-height:1.2}h2{font-size:1.3rem;border-bottom:2px solid #111;"
    "margin-top:2.5rem}h3{font-size:1.05rem;margin:1.5rem 0 .25rem}\n"
    "a{color:#003a8c}code{font-size:.9em}p,ul,dl{margin:.25rem 0 .75rem}ul{padding-left:1.25rem}\n"
    "nav ul{list-style:none;padding:0;display:flex;flex-wrap:wrap;gap:.25rem 1rem}\n"
    "dl{display:grid;grid-template-columns:minmax(6rem,max-content) 1fr;gap:.1rem 1rem}"
    "dt{font-weight:600}dd{margin:0}\n"
    ".answer{font-weight:600;border:1px solid #111;border-radius:.25rem;padding:0 .4rem;"
    "margin-right:.4rem}.yes{background:#e3f4e3}.partly{background:#fff3cd}.no{background:#fbdcdc}"
    "\n"
    ".evidence{font-size:.92rem;color:#333}.number{color:#333;font-weight:400}\n"
    ".wide{overflow-x:auto;border:1px solid #767676}table{border-collapse:collapse;width:100%;"
    "font-size:.92rem}caption{text-align:left;padding:.4rem;font-weight:600}"
    "th,td{border:1px solid #767676;padding:.3rem .5rem;text-align:left;vertical-align:top;"
    "overflow-wrap:normal}thead th{background:#eee}tbody th{min-width:7rem}.wide{margin:.5rem "
    "0}.may-run td:nth-child(3){overflow-wrap:anywhere;min-width:10rem}"
    ".satre td:nth-child(5),.satre td:nth-child(7){min-width:12rem}\n"
    "svg{display:block;width:100%;max-width:30rem;height:auto;font:13px system-ui,sans-serif}"
    ".good{fill:#1d4e89}.failed{fill:url(#stripes);stroke:#7a2d00}.denied{fill:#fff;stroke:#111}"
    ".axis{stroke:#767676}.now{stroke:#111;stroke-width:2}\n"
    "@page{size:A4;margin:15mm}@page wide{size:A4 landscape}\n"
    "@media print{body{max-width:none;font-size:10pt;padding:0}nav{display:none}"
    "article,tr,svg{break-inside:avoid}h2,h3{break-after:avoid}a{color:#111}"
    "thead{display:table-header-group}table{font-size:8.5pt}th,td{overflow-wrap:anywhere}"
    ".wide{overflow:visible;border:0}.rights,.satre{page:wide}}\n";

static void begin_page(const struct ces_report *report)
{
	FILE *out = report->out;

	fputs("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n"
	      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n"
	      "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
	      "style-src 'unsafe-inline'\"/>\n<title>Container policy report: ",
	      out);
	ces_report_text(out, report->policy->site != NULL ? report->policy->site : report->path);
	fputs("</title>\n<style>\n", out);
	fputs(style, out);
	fputs("</style>\n</head>\n<body>\n<header>\n<h1>Container policy report: ", out);
	ces_report_text(out, report->policy->site != NULL ? report->policy->site : report->path);
	fputs("</h1>\n", out);
}

static void entry(FILE *out, const char *term, const char *text)
{
	fprintf(out, "<dt>%s</dt><dd>", term);
	ces_report_text(out, text);
	fputs("</dd>\n", out);
}

static void journal_entry(const struct ces_report *report)
{
	const struct ces_verify *chain = &report->chain;
	char text[200 + CES_VERIFY_SAID], notes[CES_VERIFY_SAID];

	ces_audit_say_notes(chain, notes, sizeof(notes));
	if (!report->runs.read)
		snprintf(text, sizeof(text), "none was given");
	else if (chain->bad != NULL)
		snprintf(text, sizeof(text), "BROKEN: %s%s%zu%s%s",
			 chain->at.file != NULL ? chain->at.file : "",
			 chain->at.file != NULL ? ", line " : "",
			 chain->at.file != NULL ? chain->at.number : 0,
			 chain->at.file != NULL ? ": " : " ", chain->bad);
	else
		snprintf(text, sizeof(text), "intact, %llu records; its head is %llu:%s%s",
			 (unsigned long long)chain->records, (unsigned long long)chain->seq,
			 chain->digest, notes);
	entry(report->out, "Journal", text);
}

/* A gap belongs to a project by its path. */
static bool is_about(const struct ces_report *report, const struct ces_problem *one)
{
	static const char prefix[] = "projects.";
	char project[CES_NAME_MAX + 1];
	const char *name = one->path + strlen(prefix);

	if (strncmp(one->path, prefix, strlen(prefix)) != 0)
		return true;
	snprintf(project, sizeof(project), "%.*s", (int)strcspn(name, ".["), name);
	return ces_report_about(report, project);
}

size_t ces_report_gaps(const struct ces_report *report, enum ces_severity severity)
{
	size_t n = 0;

	for (size_t i = 0; i < report->problems.n; i++)
		n += report->problems.v[i].severity == severity &&
		     is_about(report, &report->problems.v[i]);
	return n;
}

static void filter_entry(const struct ces_report *report, const char *term,
			 const char *const words[], size_t n)
{
	FILE *out = report->out;

	if (n == 0)
		return;
	fprintf(out, "<dt>%s</dt><dd>", term);
	for (size_t i = 0; i < n; i++) {
		fputs(i > 0 ? ", " : "", out);
		ces_report_text(out, words[i]);
	}
	fputs("</dd>\n", out);
}

static void head(const struct ces_report *report)
{
	const struct ces_policy *p = report->policy;
	char day[16], text[96];

	fputs("<dl>\n", report->out);
	entry(report->out, "Policy", report->path);
	entry(report->out, "Digest", p->digest);
	entry(report->out, "Approved by", p->approved_by != NULL ? p->approved_by : "not said");
	entry(report->out, "Approved on",
	      p->approved_on != 0 ? ces_tool_day(p->approved_on + 1, day) : "not said");
	entry(report->out, "Review by",
	      p->review_by != 0 ? ces_tool_day(p->review_by, day) : "not said");
	entry(report->out, "Report made", ces_tool_day(report->now + 1, day));
	filter_entry(report, "Only months", report->filter.months, report->filter.n_months);
	filter_entry(report, "Only projects", report->filter.projects, report->filter.n_projects);
	snprintf(text, sizeof(text), "%zu high, %zu medium, %zu low",
		 ces_report_gaps(report, CES_SEVERITY_HIGH) + (report->chain.bad != NULL),
		 ces_report_gaps(report, CES_SEVERITY_MEDIUM),
		 ces_report_gaps(report, CES_SEVERITY_LOW));
	entry(report->out, "Gaps", text);
	journal_entry(report);
	fputs("</dl>\n</header>\n", report->out);
}

static const struct {
	const char *id, *title;
} sections[] = {{"gaps", "Gaps"},
		{"may-run", "What may run"},
		{"ran", "What ran, for whom"},
		{"denied", "What was denied"},
		{"soon", "What ends soon"},
		{"unused", "Images never used"},
		{"projects-safe", "Safe projects"},
		{"people", "Safe people"},
		{"settings", "Safe settings"},
		{"data", "Safe data"},
		{"outputs", "Safe outputs"},
		{"controls", "Controls of SATRE"},
		{"matrix", "Projects and rights"},
		{"profiles", "Run profiles"},
		{"cluster", "Jobs on a cluster"},
		{"runs", "What ran"}};

static void contents(FILE *out)
{
	fputs("<nav aria-label=\"Contents\">\n<ul>\n", out);
	for (size_t i = 0; i < CES_COUNT(sections); i++)
		fprintf(out, "<li><a href=\"#%s\">%s</a></li>\n", sections[i].id,
			sections[i].title);
	fputs("</ul>\n</nav>\n", out);
}

static const struct {
	enum ces_severity severity;
	const char *name, *meaning;
} levels[] = {
    {CES_SEVERITY_HIGH, "High", "data may be seen, or may leave, where nobody intended it"},
    {CES_SEVERITY_MEDIUM, "Medium", "the policy allows more, or for longer, than it can justify"},
    {CES_SEVERITY_LOW, "Low", "a part has no effect, or should be tidied up"}};

static void gaps_of(const struct ces_report *report, struct ces_table *table, size_t level)
{
	char line[CES_TABLE_CELL];

	for (size_t i = 0; i < report->problems.n; i++) {
		const struct ces_problem *one = &report->problems.v[i];

		if (one->severity != levels[level].severity || !is_about(report, one))
			continue;
		ces_table_row(table, (const char *const[]){
					 levels[level].name,
					 one->path[0] != '\0' ? one->path : "the policy",
					 ces_table_number(one->line, line), one->text, one->hint});
	}
}

static void gaps(const struct ces_report *report)
{
	FILE *out = report->out;
	struct ces_table table;

	fputs("<section aria-labelledby=\"gaps\">\n<h2 id=\"gaps\">Gaps</h2>\n", out);
	if (report->chain.bad != NULL)
		fputs("<p><strong>High:</strong> the journal is broken; see its entry above.</p>\n",
		      out);
	fputs("<ul>\n", out);
	for (size_t i = 0; i < CES_COUNT(levels); i++)
		fprintf(out, "<li>%s: %s (%zu)</li>\n", levels[i].name, levels[i].meaning,
			ces_report_gaps(report, levels[i].severity));
	fputs("</ul>\n", out);
	ces_table_begin(report, CES_TABLE_GAPS, &table);
	for (size_t i = 0; i < CES_COUNT(levels); i++)
		gaps_of(report, &table, i);
	ces_table_end(&table);
	fputs("</section>\n", out);
}

static void cluster_entry(const struct ces_report *report, const char *key, const char *term,
			  const char *text)
{
	char path[64], said[400];
	size_t line, column;

	snprintf(path, sizeof(path), "kubernetes.%s", key);
	ces_where_find(report->where, path, &line, &column);
	snprintf(said, sizeof(said), "%s (line %zu)", text, line);
	entry(report->out, term, said);
}

/* Says who enforces the output of `ces-run k8s`, which is only a text. */
static void cluster(const struct ces_report *report)
{
	const struct ces_policy_kubernetes *to = &report->policy->kubernetes;
	FILE *out = report->out;

	fputs("<section aria-labelledby=\"cluster\">\n<h2 id=\"cluster\">Jobs on a cluster</h2>\n",
	      out);
	if (to->namespace == NULL) {
		fputs("<p>The policy names no Kubernetes cluster. CES writes no job for one.</p>\n"
		      "</section>\n",
		      out);
		return;
	}
	fputs("<p>CES writes the job for this cluster. It decides on project and image by this "
	      "policy, and the job has the project's data read-only. The job runs elsewhere. The "
	      "cluster confines it and records it, and the journal of this machine does not.</p>\n"
	      "<dl>\n",
	      out);
	cluster_entry(report, "namespace", "Namespace", to->namespace);
	cluster_entry(report, "queue", "Queue", to->queue);
	cluster_entry(report, "data_claim", "Data", to->data_claim);
	cluster_entry(report, "outputs_claim", "Outputs", to->outputs_claim);
	cluster_entry(report, "pull_secret", "Secret for pulls",
		      to->pull_secret != NULL ? to->pull_secret : "none");
	cluster_entry(report, "gpu_product", "GPU product",
		      to->gpu_product != NULL ? to->gpu_product : "any");
	fputs("</dl>\n</section>\n", out);
}

void ces_report_page(const struct ces_report *report)
{
	begin_page(report);
	head(report);
	contents(report->out);
	fputs("<main>\n", report->out);
	gaps(report);
	ces_report_answers(report);
	ces_report_controls(report);
	ces_report_satre(report);
	ces_report_matrix(report);
	ces_report_profiles(report);
	cluster(report);
	ces_report_charts(report);
	fputs("</main>\n</body>\n</html>\n", report->out);
}
