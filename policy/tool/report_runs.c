/* What a journal says in sum, and its pictures: bars of inline SVG. Each bar has its number beside
 * it, and its parts differ by pattern, so that neither colour nor eyesight is needed to read them.
 */
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "policy/tool/report.h"
#include "policy/tool/tool.h"

#define UIDS_MAX     4096
#define POLICIES_MAX 64

struct count {
	struct ces_report_runs *runs;
	const char *policy;
	uint64_t uids[UIDS_MAX];
	char policies[POLICIES_MAX][CES_DIGEST_LENGTH + 1];
};

static struct ces_report_bar *find_bar(struct ces_report_bar *bars, size_t *n, size_t max,
				       const char *name)
{
	for (size_t i = 0; i < *n; i++)
		if (strcmp(bars[i].name, name) == 0)
			return &bars[i];
	if (*n == max)
		return NULL;
	snprintf(bars[*n].name, sizeof(bars->name), "%s", name);
	return &bars[(*n)++];
}

/* The oldest month makes room for a new one. */
static struct ces_report_bar *find_month(struct ces_report_runs *runs, const char *month)
{
	struct ces_report_bar *bar =
	    find_bar(runs->months, &runs->n_months, CES_REPORT_MONTHS, month);

	if (bar != NULL)
		return bar;
	memmove(runs->months, runs->months + 1, sizeof(runs->months) - sizeof(runs->months[0]));
	bar = &runs->months[CES_REPORT_MONTHS - 1];
	*bar = (struct ces_report_bar){0};
	snprintf(bar->name, sizeof(bar->name), "%s", month);
	return bar;
}

static struct ces_report_bar *find_project(struct ces_report_runs *runs, const char *project)
{
	struct ces_report_bar *bar =
	    find_bar(runs->projects, &runs->n_projects, CES_REPORT_PROJECTS,
		     project[0] != '\0' ? project : "(none)");

	if (bar == NULL) {
		bar = &runs->projects[CES_REPORT_PROJECTS];
		snprintf(bar->name, sizeof(bar->name), "(others)");
	}
	return bar;
}

static void add_to(struct ces_report_bar *bar, bool denied, bool good)
{
	bar->denied += denied;
	bar->good += !denied && good;
	bar->failed += !denied && !good;
}

static void count_outcome(struct ces_report_runs *runs, const struct ces_record *record,
			  bool denied, bool good)
{
	struct ces_report_bar *bar;
	char reason[64];

	(void)ces_record_text(record, CES_RECORD_REASON, reason, sizeof(reason));
	if (denied)
		snprintf(reason, sizeof(reason), "denied");
	else if (strcmp(reason, "exit") == 0)
		snprintf(reason, sizeof(reason), "%s", good ? "ended well" : "ended with an error");
	bar = find_bar(runs->outcomes, &runs->n_outcomes, CES_COUNT(runs->outcomes) - 1, reason);
	if (bar == NULL) {
		bar = &runs->outcomes[CES_COUNT(runs->outcomes) - 1];
		snprintf(bar->name, sizeof(bar->name), "(others)");
	}
	add_to(bar, denied, good);
}

static void count_who(struct count *c, const struct ces_record *record)
{
	uint64_t uid = ces_record_number(record, CES_RECORD_UID);
	char digest[CES_DIGEST_LENGTH + 1];
	uint64_t i = 0;

	while (i < c->runs->users && c->uids[i] != uid)
		i++;
	if (i == c->runs->users && i < UIDS_MAX)
		c->uids[c->runs->users++] = uid;
	if (!ces_digest_valid(ces_record_text(record, CES_RECORD_POLICY, digest, sizeof(digest))))
		return;
	for (i = 0; i < c->runs->policies && strcmp(c->policies[i], digest) != 0;)
		i++;
	if (i == c->runs->policies && i < POLICIES_MAX)
		memcpy(c->policies[c->runs->policies++], digest, sizeof(digest));
	c->runs->this_policy = c->runs->this_policy || strcmp(digest, c->policy) == 0;
}

/* A run counts once: when it was denied, or when it ended. */
static int count_row(void *context, const struct ces_audit_row *row)
{
	struct count *c = context;
	struct ces_report_runs *runs = c->runs;
	bool end = ces_record_is(row->record, CES_RECORD_EVENT, "end");
	bool decision = ces_record_is(row->record, CES_RECORD_EVENT, "decision");
	bool proof = ces_record_is(row->record, CES_RECORD_EVENT, "proof");
	bool denied = ces_record_is(row->record, CES_RECORD_OUTCOME, "denied");
	bool run = ces_record_is(row->record, CES_RECORD_VERB, "run");
	bool good = ces_record_number(row->record, CES_RECORD_STATUS) == 0;
	char month[8];

	runs->records++;
	if (decision)
		count_who(c, row->record);
	runs->runs += run && decision && !denied;
	runs->pulls += !run && decision && !denied;
	runs->ends += run && end;
	runs->proofs += proof;
	runs->deviations += proof && !ces_record_is(row->record, CES_RECORD_OUTCOME, "as planned");
	if (!run || !(end || denied))
		return 0;
	add_to(find_month(runs, ces_record_text(row->record, CES_RECORD_TIME, month, 8)), denied,
	       good);
	add_to(find_project(runs, row->project), denied, good);
	count_outcome(runs, row->record, denied, good);
	return 0;
}

int ces_report_count(struct ces_report *report, struct ces_journal_reader *reader,
		     struct ces_error *err)
{
	static const struct ces_audit_filter all = {0};
	CES_CLEANUP_FREE struct count *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return ces_error_set(err, CES_E_HOST, "out of memory");
	c->runs = &report->runs;
	c->policy = report->policy->digest;
	report->runs.read = true;
	return ces_audit_select(reader, &all, count_row, c, err);
}

#define WIDTH 360 /* of a chart: what a telephone shows without shrinking it */
#define ROW   40

static uint64_t total(const struct ces_report_bar *bar)
{
	return bar->good + bar->failed + bar->denied;
}

static void part(FILE *out, uint64_t n, uint64_t most, double *x, size_t y, const char *kind)
{
	double width = most == 0 ? 0 : (double)n * WIDTH / (double)most;

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

static void chart(FILE *out, const char *id, const char *title, const struct ces_report_bar *bars,
		  size_t n)
{
	uint64_t most = 0;

	for (size_t i = 0; i < n; i++)
		most = total(&bars[i]) > most ? total(&bars[i]) : most;
	fprintf(out,
		"<h3>%s</h3>\n<svg role=\"img\" aria-labelledby=\"%s-t %s-d\" viewBox=\"0 0 %d "
		"%zu\">\n<title id=\"%s-t\">%s</title>\n<desc id=\"%s-d\">",
		title, id, id, WIDTH, n * ROW, id, title, id);
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

void ces_report_charts(const struct ces_report *report)
{
	const struct ces_report_runs *runs = &report->runs;
	size_t projects = runs->n_projects;

	fputs("<section aria-labelledby=\"runs\">\n<h2 id=\"runs\">What ran</h2>\n", report->out);
	if (!runs->read) {
		fputs(
		    "<p>This report was made without a journal. It says what is allowed, not what "
		    "was done. To see that too, make it with <code>--journal</code>.</p>\n"
		    "</section>\n",
		    report->out);
		return;
	}
	fprintf(report->out,
		"<p>The journal has %llu records, from %s to %s. %llu runs and %llu pulls were "
		"allowed. "
		"%llu runs have ended. %llu users asked.</p>\n",
		(unsigned long long)runs->records, report->chain.first_time, report->chain.time,
		(unsigned long long)runs->runs, (unsigned long long)runs->pulls,
		(unsigned long long)runs->ends, (unsigned long long)runs->users);
	fprintf(report->out,
		"<p>CES compared %llu containers with their plan, before their program began. It "
		"ended %llu because they were not as planned.</p>\n",
		(unsigned long long)runs->proofs, (unsigned long long)runs->deviations);
	if (runs->n_months > 0) {
		projects += runs->projects[CES_REPORT_PROJECTS].name[0] != '\0';
		fputs(legend, report->out);
		chart(report->out, "months", "Runs by month", runs->months, runs->n_months);
		chart(report->out, "projects", "Runs by project", runs->projects, projects);
		chart(report->out, "outcomes", "Runs by outcome", runs->outcomes, runs->n_outcomes);
	}
	fputs("</section>\n", report->out);
}
