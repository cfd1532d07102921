/* Sums up a journal for the report. It must hold only a bounded sum, however long the journal
 * is. */
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/event.h"
#include "policy/tool/report.h"
#include "policy/tool/tool.h"

#define UIDS_MAX     4096
#define POLICIES_MAX 64
#define WORD         1100 /* an image reference fits */

struct count {
	struct ces_report *report;
	struct ces_report_runs *runs;
	const char *policy;
	uint64_t uids[UIDS_MAX];
	char policies[POLICIES_MAX][CES_DIGEST_LENGTH + 1];
};

bool ces_report_about(const struct ces_report *report, const char *project)
{
	size_t i = 0;

	while (i < report->filter.n_projects && strcmp(report->filter.projects[i], project) != 0)
		i++;
	return report->filter.n_projects == 0 || i < report->filter.n_projects;
}

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

/* A denied request names any project that its user likes. One that ran takes the place of one that
 * was only named. */
static struct ces_report_bar *make_room(struct ces_report_runs *runs)
{
	struct ces_report_bar *rest = &runs->projects[CES_REPORT_PROJECTS];

	for (size_t i = 0; i < CES_REPORT_PROJECTS; i++) {
		struct ces_report_bar *bar = &runs->projects[i];

		if (bar->good + bar->failed > 0)
			continue;
		rest->denied += bar->denied;
		*bar = (struct ces_report_bar){0};
		return bar;
	}
	return NULL;
}

static struct ces_report_bar *find_project(struct ces_report_runs *runs, const char *project,
					   bool denied)
{
	const char *name = project[0] != '\0' ? project : "(none)";
	struct ces_report_bar *rest = &runs->projects[CES_REPORT_PROJECTS];
	struct ces_report_bar *bar =
	    find_bar(runs->projects, &runs->n_projects, CES_REPORT_PROJECTS, name);

	if (bar != NULL)
		return bar;
	snprintf(rest->name, sizeof(rest->name), "(others)");
	bar = denied ? NULL : make_room(runs);
	if (bar == NULL)
		return rest;
	snprintf(bar->name, sizeof(bar->name), "%s", name);
	return bar;
}

static void add_to(struct ces_report_bar *bar, bool denied, bool good)
{
	bar->denied += denied;
	bar->good += !denied && good;
	bar->failed += !denied && !good;
}

/* A run that was not set up has a sentence for its reason, which may have words of its user's. */
static const char *name_outcome(const struct ces_record *record, bool denied, bool good)
{
	static const char *const reasons[] = {"signal",     "memory limit", "time limit",
					      "stopped",    "client gone",  CES_EXITED_RUNTIME,
					      "helper died"};

	if (denied)
		return "denied";
	if (ces_record_is(record, CES_RECORD_REASON, "exit"))
		return good ? "ended well" : "ended with an error";
	for (size_t i = 0; i < CES_COUNT(reasons); i++)
		if (ces_record_is(record, CES_RECORD_REASON, reasons[i]))
			return reasons[i];
	return "set-up failed";
}

static void count_outcome(struct ces_report_runs *runs, const struct ces_record *record,
			  bool denied, bool good)
{
	struct ces_report_bar *bar =
	    find_bar(runs->outcomes, &runs->n_outcomes, CES_COUNT(runs->outcomes),
		     name_outcome(record, denied, good));

	if (bar != NULL) /* (there is room for all) */
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

static int add(struct ces_tally *tally, const struct ces_tally_row *one, const char *a,
	       const char *b, const char *c, const char *d)
{
	struct ces_tally_row *row = ces_tally_find(tally, (const char *const[]){a, b, c, d});

	if (row == NULL)
		return -1;
	ces_tally_add(row, one);
	return 0;
}

/* An end of a run, or a denial of anything. */
static int tally(struct count *c, const struct ces_audit_row *row, bool run, bool denied, bool good)
{
	struct ces_report_runs *runs = c->runs;
	char time[CES_TIME_TEXT], image[WORD], reason[WORD], user[CES_AUDIT_USER];
	const char *project = row->project[0] != '\0' ? row->project : "(none)";
	struct ces_tally_row one = {
	    .good = !denied && good,
	    .failed = !denied && !good,
	    .denied = denied,
	    .cpu_us = denied ? 0 : ces_record_number(row->record, CES_RECORD_CPU_US)};
	time_t from = ces_record_seconds(row->started), to;

	to = ces_record_seconds(ces_record_text(row->record, CES_RECORD_TIME, time, sizeof(time)));
	if (!denied && from >= 0 && to > from)
		one.seconds = (uint64_t)(to - from);
	one.gpu_seconds = row->gpus < 1024 ? one.seconds * row->gpus : 0;
	snprintf(one.first, sizeof(one.first), "%.10s", time);
	snprintf(one.last, sizeof(one.last), "%.10s", time);
	ces_audit_user(row, user);
	(void)ces_record_text(row->record, CES_RECORD_IMAGE, image, sizeof(image));
	(void)ces_record_text(row->record, CES_RECORD_REASON, reason, sizeof(reason));
	if (denied && add(&runs->denied, &one, project, user, image, reason) != 0)
		return -1;
	if (!denied && (add(&runs->ran, &one, project, user, image, "") != 0 ||
			add(&runs->hours, &one, project, "", "", "") != 0))
		return -1;
	return run || denied ? add(&runs->days, &one, one.first, "", "", "") : 0;
}

static bool chosen(const struct ces_report *report, const struct ces_audit_row *row)
{
	const struct ces_report_filter *filter = &report->filter;
	char month[8];
	size_t i = 0;

	(void)ces_record_text(row->record, CES_RECORD_TIME, month, sizeof(month));
	while (i < filter->n_months && strcmp(filter->months[i], month) != 0)
		i++;
	return (filter->n_months == 0 || i < filter->n_months) &&
	       ces_report_about(report, row->project);
}

/* A run counts once: at its denial, or at its end. */
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
	struct ces_rules_walk rule;
	char month[8];

	runs->records++;
	for (size_t i = 0; i < c->report->filter.n_projects; i++)
		runs->has[i] |= strcmp(c->report->filter.projects[i], row->project) == 0;
	if (!chosen(c->report, row))
		return 0;
	runs->chosen++;
	if (decision)
		count_who(c, row->record);
	if (decision && !denied && ces_rules_find(c->report->policy, row, &rule))
		c->report->uses[rule.n]++;
	if (ces_record_is(row->record, CES_RECORD_EVENT, "denials"))
		runs->unrecorded += ces_record_number(row->record, CES_RECORD_COUNT);
	runs->runs += run && decision && !denied;
	runs->pulls += !run && decision && !denied;
	runs->ends += run && end;
	runs->proofs += proof;
	runs->deviations += proof && !ces_record_is(row->record, CES_RECORD_OUTCOME, "as planned");
	if (((decision && denied) || (run && end)) && tally(c, row, run, denied, good) != 0)
		return -1;
	if (!run || !(end || denied))
		return 0;
	add_to(find_month(runs, ces_record_text(row->record, CES_RECORD_TIME, month, 8)), denied,
	       good);
	add_to(find_project(runs, row->project, denied), denied, good);
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
	c->report = report;
	c->runs = &report->runs;
	c->policy = report->policy->digest;
	report->runs.read = true;
	if (ces_audit_select(reader, &all, count_row, c, err) != 0)
		return -1;
	ces_tally_sort(&report->runs.days);
	ces_tally_sort(&report->runs.hours);
	ces_tally_sort(&report->runs.ran);
	ces_tally_sort(&report->runs.denied);
	return 0;
}
