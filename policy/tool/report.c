/* ces-policy report: writes one page for a governance meeting, and its tables for a spreadsheet. It
 * must never say more than the policy, this machine and the journal show. */
#include "policy/tool/report.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/quantity.h"
#include "policy/evidence/store.h"
#include "policy/parse.h"
#include "policy/tool/input.h"
#include "policy/tool/signers.h"
#include "policy/tool/tool.h"
#include "policy/tool/where.h"

static const char help[] =
    "usage: ces-policy report [--journal FILE] [--month 2026-11]... [--project P]... [--no-host]\n"
    "                         [--on DATE] [--csv DIRECTORY] [-o REPORT.html] FILE\n"
    "Writes a page about the policy FILE: what may run and who approved it, what ran, what was\n"
    "denied, what ends soon, gaps by severity, and the controls of SATRE that CES can evidence.\n"
    "--csv also writes each table to a file in a new directory.\n";

struct asked {
	const char *policy, *journal, *output, *csv;
	struct ces_report_filter filter;
	bool host;
	time_t now;
};

/* Two readers: one for the chain, one for the records. */
struct files {
	struct ces_journal_reader *chain, *runs;
	struct ces_tables tables;
	FILE *out;
	int profiles; /* the directory beside the policy; -1: none */
};

static int open_files(const struct asked *asked, struct files *ret, struct ces_error *err)
{
	if (asked->journal != NULL &&
	    (ces_journal_reader_open(asked->journal, &ret->chain, err) != 0 ||
	     ces_journal_reader_open(asked->journal, &ret->runs, err) != 0))
		return -1;
	if (ces_profiles_open(asked->policy, &ret->profiles, err) != 0)
		return -1;
	if (asked->csv != NULL && ces_tables_make(asked->csv, &ret->tables, err) != 0)
		return -1;
	ret->out = asked->output != NULL ? fopen(asked->output, "we") : stdout;
	return ret->out != NULL ? 0 : ces_error_errno(err, CES_E_HOST, "%s", asked->output);
}

/* (an unknown name is a typing error, and not an empty report) */
static int check_projects(const struct ces_report *report, struct ces_error *err)
{
	for (size_t i = 0; i < report->filter.n_projects; i++) {
		const char *name = report->filter.projects[i];
		size_t j = 0;

		while (j < report->policy->n_projects &&
		       strcmp(report->policy->projects[j].name, name) != 0)
			j++;
		if (j == report->policy->n_projects && !report->runs.has[i])
			return ces_error_set(err, CES_E_NOTFOUND,
					     "--project %s: neither the policy nor the journal has "
					     "this project",
					     name);
	}
	return 0;
}

static int prepare(struct ces_report *report, struct ces_error *err)
{
	struct ces_rules_walk walk = {0};

	while (ces_rules_next(report->policy, &walk))
		continue;
	report->uses = calloc(walk.n + 1, sizeof(*report->uses));
	return report->uses != NULL ? 0 : ces_error_set(err, CES_E_HOST, "out of memory");
}

static void release(struct ces_report *report)
{
	struct ces_report_runs *runs = &report->runs;
	struct ces_tally *const tallies[] = {&runs->days, &runs->hours, &runs->ran, &runs->denied};

	for (size_t i = 0; i < CES_COUNT(tallies); i++)
		ces_tally_free(tallies[i]);
	ces_where_free(report->where);
	ces_problems_free(&report->problems);
	ces_profiles_free(&report->profiles);
	free(report->uses);
}

static int fill(struct ces_report *report, const struct asked *asked, struct files *files,
		const char *bytes, size_t length, int keys, struct ces_error *err,
		struct ces_error *broken)
{
	report->chain.reader = files->chain;
	if (files->chain != NULL) {
		if (ces_audit_judge(&report->chain, broken) != 0 ||
		    ces_report_count(report, files->runs, err) != 0)
			return -1;
	}
	if (check_projects(report, err) != 0)
		return -1;
	if (files->profiles >= 0 && ces_profiles_read(files->profiles, &report->profiles, err) != 0)
		return -1;
	ces_check_warn(&report->problems, report->policy, asked->now);
	ces_check_warn_paths(&report->problems, report->policy);
	ces_check_warn_profiles(&report->problems, report->policy, &report->profiles, asked->host,
				asked->now);
	ces_check_warn_evidence(&report->problems, report->policy, report->evidence, asked->now);
	ces_check_warn_signers(&report->problems, report->policy, keys, asked->host);
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
	struct ces_report report = {.out = files->out,
				    .path = asked->policy,
				    .filter = asked->filter,
				    .tables = files->tables,
				    .now = asked->now,
				    .host = asked->host};
	struct ces_error broken = {0};
	struct ces_policy *policy = NULL;
	char *bytes = NULL;
	size_t length = 0;
	CES_CLEANUP_FREE char *beside = ces_store_beside(asked->policy);
	CES_CLEANUP_FD int dir = -1, keys = ces_input_beside(asked->policy);
	int result = -1;

	/* before root is given up */
	if (beside != NULL)
		(void)ces_store_open(beside, &dir, NULL);
	report.evidence = dir;
	if (stat(asked->policy, &report.file) != 0)
		return ces_error_errno(err, CES_E_NOTFOUND, "%s", asked->policy);
	if (ces_input_read(asked->policy, &bytes, &length, err) != 0)
		return -1;
	if (ces_policy_parse(bytes, length, &policy, err) != 0) {
		(void)ces_error_context(err, "%s", asked->policy);
	} else {
		report.policy = policy;
		result = prepare(&report, err);
		if (result == 0)
			result = fill(&report, asked, files, bytes, length, keys, err, &broken);
		if (result == 0)
			ces_report_page(&report);
	}
	release(&report);
	ces_policy_free(policy);
	free(bytes);
	return result;
}

/* "2026-11" */
static bool month_valid(const char *text)
{
	static const char form[] = "dddd-dd";
	size_t i = 0;

	while (form[i] != '\0' &&
	       (form[i] == 'd' ? text[i] >= '0' && text[i] <= '9' : text[i] == '-'))
		i++;
	return form[i] == '\0' && text[i] == '\0' && strcmp(text + 5, "01") >= 0 &&
	       strcmp(text + 5, "12") <= 0;
}

static int add_filter(struct ces_report_filter *filter, int option, const char *value)
{
	bool month = option == 'm';

	if (month && (filter->n_months == CES_COUNT(filter->months) || !month_valid(value))) {
		fprintf(stderr, "ces-policy: --month: write 2026-11, at most %d times\n",
			CES_REPORT_MONTHS);
		return -1;
	}
	if (!month &&
	    (filter->n_projects == CES_COUNT(filter->projects) || !ces_project_valid(value))) {
		fprintf(stderr,
			"ces-policy: --project: write the name of a project, at most %d times\n",
			CES_REPORT_PROJECTS);
		return -1;
	}
	if (month)
		filter->months[filter->n_months++] = value;
	else
		filter->projects[filter->n_projects++] = value;
	return 0;
}

static int parse(int argc, char **argv, struct asked *ret)
{
	static const struct option options[] = {{"journal", required_argument, NULL, 'j'},
						{"no-host", no_argument, NULL, 'n'},
						{"on", required_argument, NULL, 'd'},
						{"output", required_argument, NULL, 'o'},
						{"month", required_argument, NULL, 'm'},
						{"project", required_argument, NULL, 'p'},
						{"csv", required_argument, NULL, 'c'},
						{"help", no_argument, NULL, 'h'},
						{NULL, 0, NULL, 0}};
	int option;

	while ((option = getopt_long(argc, argv, "o:h", options, NULL)) != -1) {
		if (option == 'h') {
			fputs(help, stdout);
			return 1;
		}
		if ((option == 'm' || option == 'p') &&
		    add_filter(&ret->filter, option, optarg) != 0)
			return -1;
		if (option == '?' || (option == 'd' && ces_num_parse_date(optarg, &ret->now) != 0))
			return -1;
		ret->now -= option == 'd';
		ret->journal = option == 'j' ? optarg : ret->journal;
		ret->csv = option == 'c' ? optarg : ret->csv;
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
	struct files files = {.profiles = -1};
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
	if (ces_tables_close(&files.tables) != 0 && status == CES_TOOL_GOOD) {
		perror("ces-policy: writing");
		status = CES_TOOL_ERROR;
	}
	ces_journal_reader_close(files.chain);
	ces_journal_reader_close(files.runs);
	ces_cleanup_close(&files.profiles);
	return status;
}
