/* The parts of the report: the facts, and the sections of the page. */
#ifndef CES_POLICY_TOOL_REPORT_H
#define CES_POLICY_TOOL_REPORT_H

#include <sys/stat.h>

#include "policy/tool/audit.h"
#include "policy/tool/check.h"
#include "policy/tool/profiles.h"
#include "policy/tool/report_table.h"
#include "policy/tool/rules.h"
#include "policy/tool/tally.h"

#define CES_REPORT_MONTHS   24
#define CES_REPORT_PROJECTS 64
#define CES_REPORT_SOON     90 /* days: what ends within them ends soon */

/* The months and projects of the report; none: all. */
struct ces_report_filter {
	const char *months[CES_REPORT_MONTHS], *projects[CES_REPORT_PROJECTS];
	size_t n_months, n_projects;
};

/* Runs of one month or project, or one way to end. */
struct ces_report_bar {
	char name[CES_NAME_MAX + 1];
	uint64_t good, failed, denied;
};

/* The sums of a journal, which are bounded, however long it is. Only `records` counts what the
 * filter leaves out. */
struct ces_report_runs {
	bool read; /* a journal was given */
	uint64_t records, chosen, runs, pulls, ends;
	uint64_t proofs,
	    deviations; /* runs that were compared with their plan; runs that differed from it */
	uint64_t unrecorded; /* denials of which there is only a count */
	struct ces_report_bar months[CES_REPORT_MONTHS]; /* the last ones, oldest first */
	size_t n_months;
	struct ces_report_bar projects[CES_REPORT_PROJECTS + 1]; /* the last: all others */
	size_t n_projects;
	struct ces_report_bar outcomes[16];
	size_t n_outcomes;
	struct ces_tally days;   /* a day */
	struct ces_tally hours;  /* a project */
	struct ces_tally ran;    /* project, user, image */
	struct ces_tally denied; /* project, user, image, reason */
	uint64_t users;          /* different uids, of the first 4096 */
	uint64_t policies;       /* different digests of policies that decided, of the first 64 */
	bool this_policy;        /* one of these is this policy */
	bool has[CES_REPORT_PROJECTS]; /* the projects of the filter, whatever the months */
};

struct ces_report {
	FILE *out;
	const char *path;
	const struct ces_policy *policy;
	struct ces_report_filter filter;
	struct ces_problems problems; /* the gaps, with lines */
	struct ces_report_runs runs;
	uint64_t
	    *uses; /* allowed runs and pulls of each image rule, in the order of ces_rules_next */
	struct ces_profiles profiles; /* beside the policy */
	struct ces_tables tables;
	struct ces_verify chain;
	struct ces_where *where;
	struct stat file; /* the policy's, before root was given up */
	time_t now;
	int evidence; /* the directory beside the policy; -1: none */
	bool host;
};

/* Returns whether the report is about this project. */
bool ces_report_about(const struct ces_report *report, const char *project);

size_t ces_report_gaps(const struct ces_report *report, enum ces_severity severity);

void ces_report_page(const struct ces_report *report);     /* all of it */
void ces_report_answers(const struct ces_report *report);  /* what may run, what ended, ... */
void ces_report_controls(const struct ces_report *report); /* by the Five Safes */
void ces_report_satre(const struct ces_report *report);    /* controls, and their evidence */
void ces_report_matrix(const struct ces_report *report);
void ces_report_profiles(const struct ces_report *report);
void ces_report_charts(const struct ces_report *report);
void ces_report_days(const struct ces_report *report);
void ces_report_hours(const struct ces_report *report);
void ces_report_dates(const struct ces_report *report);

#define CES_SVG_WIDTH 360 /* of a picture: a telephone shows it without shrinking */

/* A heading, and a picture up to its description, which the caller writes and ends. */
void ces_svg_begin(FILE *out, const char *id, const char *title, size_t height);

/* Sums up a journal. */
int ces_report_count(struct ces_report *report, struct ces_journal_reader *reader,
		     struct ces_error *err);

#endif
