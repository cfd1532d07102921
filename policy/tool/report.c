/* ces-policy report: one page for a governance meeting. Self-contained HTML without scripts, which
 * must never load anything, and never say more than the policy, this machine and the journal show.
 */
#include "policy/tool/report.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/num.h"
#include "policy/tool/input.h"
#include "policy/tool/tool.h"
#include "policy/tool/where.h"

static const char help[] =
    "usage: ces-policy report [--journal FILE] [--no-host] [--on DATE] [-o REPORT.html] FILE\n"
    "Writes a page about the policy FILE, grouped by the Five Safes, with the controls of SATRE\n"
    "that CES can evidence, gaps by severity, and what ran.\n";

struct asked {
	const char *policy, *journal, *output;
	bool host;
	time_t now;
};

void ces_report_text(FILE *out, const char *text)
{
	for (; *text != '\0'; text++) {
		switch (*text) {
		case '&':
			fputs("&amp;", out);
			break;
		case '<':
			fputs("&lt;", out);
			break;
		case '>':
			fputs("&gt;", out);
			break;
		case '"':
			fputs("&quot;", out);
			break;
		case '\'':
			fputs("&#39;", out);
			break;
		default:
			fputc(*text, out);
		}
	}
}

/* Dark on white, at least 7:1; nothing is shown by colour alone. */
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
    "overflow-wrap:normal}thead th{background:#eee}\n"
    "svg{display:block;width:100%;max-width:30rem;height:auto;font:13px system-ui,sans-serif}"
    ".good{fill:#1d4e89}.failed{fill:url(#stripes);stroke:#7a2d00}.denied{fill:#fff;stroke:#111}\n"
    "@media print{body{max-width:none;font-size:11pt;padding:0}nav{display:none}"
    "article,tr,svg{break-inside:avoid}h2,h3{break-after:avoid}a{color:#111}"
    ".wide{overflow:visible;border:0}}\n";

static void begin_page(const struct ces_report *report)
{
	FILE *out = report->out;

	fputs("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
	      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
	      "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
	      "style-src 'unsafe-inline'\">\n<title>Container policy report: ",
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
	char text[700];

	if (!report->runs.read)
		snprintf(text, sizeof(text), "none was given");
	else if (chain->bad != NULL)
		snprintf(text, sizeof(text), "BROKEN: %s%s%zu%s%s",
			 chain->at.file != NULL ? chain->at.file : "",
			 chain->at.file != NULL ? ", line " : "",
			 chain->at.file != NULL ? chain->at.number : 0,
			 chain->at.file != NULL ? ": " : " ", chain->bad);
	else
		snprintf(text, sizeof(text), "intact, %llu records; its head is %llu:%s",
			 (unsigned long long)chain->records, (unsigned long long)chain->seq,
			 chain->digest);
	entry(report->out, "Journal", text);
}

static size_t count_gaps(const struct ces_report *report, enum ces_severity severity)
{
	size_t n = 0;

	for (size_t i = 0; i < report->problems.n; i++)
		n += report->problems.v[i].severity == severity;
	return n;
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
	snprintf(text, sizeof(text), "%zu high, %zu medium, %zu low",
		 count_gaps(report, CES_SEVERITY_HIGH) + (report->chain.bad != NULL),
		 count_gaps(report, CES_SEVERITY_MEDIUM), count_gaps(report, CES_SEVERITY_LOW));
	entry(report->out, "Gaps", text);
	journal_entry(report);
	fputs("</dl>\n</header>\n", report->out);
}

static const struct {
	const char *id, *title;
} sections[] = {{"gaps", "Gaps"},
		{"projects-safe", "Safe projects"},
		{"people", "Safe people"},
		{"settings", "Safe settings"},
		{"data", "Safe data"},
		{"outputs", "Safe outputs"},
		{"matrix", "Projects and rights"},
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

static void gap(FILE *out, const struct ces_problem *one)
{
	fputs("<li>", out);
	ces_report_text(out, one->path[0] != '\0' ? one->path : "the policy");
	fputc(' ', out);
	ces_report_text(out, one->text);
	fprintf(out, " <span class=\"evidence\">(line %zu; ", one->line);
	ces_report_text(out, one->hint);
	fputs(")</span></li>\n", out);
}

static void gaps(const struct ces_report *report)
{
	static const struct {
		enum ces_severity severity;
		const char *title;
	} levels[] = {
	    {CES_SEVERITY_HIGH, "High: data may be seen, or may leave, where nobody intended it"},
	    {CES_SEVERITY_MEDIUM,
	     "Medium: the policy allows more, or for longer, than it can justify"},
	    {CES_SEVERITY_LOW, "Low: a part has no effect, or should be tidied up"}};
	FILE *out = report->out;

	fputs("<section aria-labelledby=\"gaps\">\n<h2 id=\"gaps\">Gaps</h2>\n", out);
	if (report->chain.bad != NULL)
		fputs("<p><strong>High:</strong> the journal is broken; see its entry above.</p>\n",
		      out);
	if (report->problems.n == 0)
		fputs("<p>None was found in the policy.</p>\n", out);
	for (size_t level = 0; level < CES_COUNT(levels); level++) {
		size_t n = count_gaps(report, levels[level].severity);

		if (n == 0)
			continue;
		fprintf(out, "<h3>%s (%zu)</h3>\n<ul>\n", levels[level].title, n);
		for (size_t i = 0; i < report->problems.n; i++)
			if (report->problems.v[i].severity == levels[level].severity)
				gap(out, &report->problems.v[i]);
		fputs("</ul>\n", out);
	}
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

/* What leaves by `ces-run k8s` is a text: who enforces what is in it is said here. */
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

static void page(const struct ces_report *report)
{
	begin_page(report);
	head(report);
	contents(report->out);
	fputs("<main>\n", report->out);
	gaps(report);
	ces_report_controls(report);
	ces_report_matrix(report);
	cluster(report);
	ces_report_charts(report);
	fputs("</main>\n</body>\n</html>\n", report->out);
}

/* Two readers: one for the chain, one for what is in it. */
struct files {
	struct ces_journal_reader *chain, *runs;
	FILE *out;
};

static int open_files(const struct asked *asked, struct files *ret, struct ces_error *err)
{
	if (asked->journal != NULL &&
	    (ces_journal_reader_open(asked->journal, &ret->chain, err) != 0 ||
	     ces_journal_reader_open(asked->journal, &ret->runs, err) != 0))
		return -1;
	ret->out = asked->output != NULL ? fopen(asked->output, "we") : stdout;
	return ret->out != NULL ? 0 : ces_error_errno(err, CES_E_HOST, "%s", asked->output);
}

static int fill(struct ces_report *report, const struct asked *asked, struct files *files,
		const char *bytes, size_t length, struct ces_error *err, struct ces_error *broken)
{
	report->chain.reader = files->chain;
	if (files->chain != NULL) {
		if (ces_audit_judge(&report->chain, broken) != 0 ||
		    ces_report_count(report, files->runs, err) != 0)
			return -1;
	}
	ces_check_warn(&report->problems, report->policy, asked->now);
	ces_check_warn_paths(&report->problems, report->policy);
	if (asked->host)
		ces_check_warn_host(&report->problems, report->policy);
	ces_problems_locate(&report->problems, bytes, length);
	report->where = ces_where_new(bytes, length);
	return report->where != NULL && !report->problems.no_memory
		   ? 0
		   : ces_error_set(err, CES_E_HOST, "out of memory");
}

static int make(const struct asked *asked, struct files *files, struct ces_error *err)
{
	struct ces_report report = {
	    .out = files->out, .path = asked->policy, .now = asked->now, .host = asked->host};
	struct ces_error broken = {0};
	struct ces_policy *policy = NULL;
	char *bytes = NULL;
	size_t length = 0;
	int result = -1;

	if (ces_input_read(asked->policy, &bytes, &length, err) != 0)
		return -1;
	if (ces_policy_parse(bytes, length, &policy, err) != 0) {
		(void)ces_error_context(err, "%s", asked->policy);
	} else {
		report.policy = policy;
		result = fill(&report, asked, files, bytes, length, err, &broken);
		if (result == 0)
			page(&report);
	}
	ces_where_free(report.where);
	ces_problems_free(&report.problems);
	ces_policy_free(policy);
	free(bytes);
	return result;
}

static int parse(int argc, char **argv, struct asked *ret)
{
	static const struct option options[] = {
	    {"journal", required_argument, NULL, 'j'}, {"no-host", no_argument, NULL, 'n'},
	    {"on", required_argument, NULL, 'd'},      {"output", required_argument, NULL, 'o'},
	    {"help", no_argument, NULL, 'h'},          {NULL, 0, NULL, 0}};
	int option;

	while ((option = getopt_long(argc, argv, "o:h", options, NULL)) != -1) {
		if (option == 'h') {
			fputs(help, stdout);
			return 1;
		}
		if (option == '?' || (option == 'd' && ces_num_parse_date(optarg, &ret->now) != 0))
			return -1;
		ret->now -= option == 'd';
		ret->journal = option == 'j' ? optarg : ret->journal;
		ret->output = option == 'o' ? optarg : ret->output;
		ret->host = ret->host && option != 'n';
	}
	if (argc - optind != 1)
		return -1;
	ret->policy = argv[optind];
	return 0;
}

int ces_tool_report(int argc, char **argv)
{
	struct asked asked = {.host = true, .now = time(NULL)};
	struct files files = {0};
	struct ces_error err = {0};
	int status = parse(argc, argv, &asked);

	if (status != 0)
		return status > 0 ? CES_TOOL_GOOD : ces_tool_usage("report");
	if (open_files(&asked, &files, &err) != 0 || make(&asked, &files, &err) != 0)
		status = ces_tool_fail(&err);
	if (files.out != NULL)
		status = ces_tool_finish(files.out, status);
	if (files.out != NULL && files.out != stdout)
		fclose(files.out);
	ces_journal_reader_close(files.chain);
	ces_journal_reader_close(files.runs);
	return status;
}
