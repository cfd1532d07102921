/* The parts of the report: what is known, and the sections of the page. */
#ifndef CES_POLICY_TOOL_REPORT_H
#define CES_POLICY_TOOL_REPORT_H

#include "policy/tool/audit.h"
#include "policy/tool/check.h"

#define CES_REPORT_MONTHS   24
#define CES_REPORT_PROJECTS 64

/* Runs of one month or project, or one way to end. */
struct ces_report_bar {
	char name[CES_NAME_MAX + 1];
	uint64_t good, failed, denied;
};

/* What a journal says in sum; bounded, however long it is. */
struct ces_report_runs {
	bool read; /* a journal was given */
	uint64_t records, runs, pulls, ends;
	uint64_t proofs,
	    deviations; /* of runs that were compared with their plan; and were not it */
	struct ces_report_bar months[CES_REPORT_MONTHS]; /* the last ones, oldest first */
	size_t n_months;
	struct ces_report_bar projects[CES_REPORT_PROJECTS + 1]; /* the last: all others */
	size_t n_projects;
	struct ces_report_bar outcomes[16];
	size_t n_outcomes;
	uint64_t users;    /* different uids, of the first 4096 */
	uint64_t policies; /* different digests of policies that decided, of the first 64 */
	bool this_policy;  /* one is this one */
};

struct ces_report {
	FILE *out;
	const char *path;
	const struct ces_policy *policy;
	struct ces_problems problems; /* the gaps, with lines */
	struct ces_report_runs runs;
	struct ces_verify chain;
	struct ces_where *where;
	time_t now;
	bool host;
};

/* Text with what HTML would take for markup escaped. */
void ces_report_text(FILE *out, const char *text);

void ces_report_controls(const struct ces_report *report); /* by the Five Safes */
void ces_report_matrix(const struct ces_report *report);
void ces_report_charts(const struct ces_report *report);

/* Sums up a journal. */
int ces_report_count(struct ces_report *report, struct ces_journal_reader *reader,
		     struct ces_error *err);

#endif
