/* ces-policy audit: shows the record of what ran. It must never write to a journal, nor read a byte
 * of one with more than an unknown user's rights. */
#include <getopt.h>
#include <string.h>

#include "policy/tool/audit.h"
#include "policy/receipt/head.h"
#include "common/cleanup.h"
#include "common/name.h"
#include "common/paths.h"
#include "common/suggest.h"
#include "policy/tool/input.h"
#include "policy/tool/review.h"
#include "policy/tool/tool.h"

static const char help[] =
    "usage: ces-policy audit verify [--journal FILE] [--expect NUMBER:DIGEST] [--strict]\n"
    "                               [--against HEADS --key PUBLIC.pem]\n"
    "       ces-policy audit head   [--journal FILE] [--key KEY | --sign [--policy FILE]] "
    "[--syslog]\n"
    "       ces-policy audit list   [--journal FILE] [FILTER]...\n"
    "       ces-policy audit show   [--journal FILE] RUN\n"
    "       ces-policy audit export [--journal FILE] [FILTER]... [--format csv|ocsf|cef] [-o "
    "FILE]\n"
    "       ces-policy audit export [--journal FILE] --crate DIRECTORY --run RUN\n"
    "                               [--receipt FILE --key PUBLIC.pem] [--outputs FILE]\n"
    "       ces-policy audit review [--journal FILE] --from DATE --to DATE [--policy FILE]\n"
    "                               [--no-host] [--record FILE [--note TEXT] [--by NAME]]\n"
    "       ces-policy audit review [--journal FILE] --list FILE\n"
    "filters: --user NAME|UID  --project P  --image IMAGE|PATTERN  --digest D  --run RUN\n"
    "         --outcome allowed|denied|ended|failed  --since TIME  --until TIME\n"
    "head prints the number and digest of the last record. KEY signs that line; with --sign the\n"
    "policy's host.audit_key does. With --format json, verify, list and show print JSON. export\n"
    "prints CSV, or events for a SIEM.\n"
    "The journal is " CES_JOURNAL_PATH " with its rotated files. Only root can read it.\n";

enum takes {
	TAKES_EXPECT = 1,
	TAKES_FILTER = 2,
	TAKES_RUN = 4,
	TAKES_OUTPUT = 8,
	TAKES_FORMAT = 16,
	TAKES_REVIEW = 32,
	TAKES_HEADS = 64,
	TAKES_SIGN = 128
};

static int export(const struct ces_audit *audit)
{
	return audit->crate != NULL ? ces_audit_crate(audit) : ces_audit_export(audit);
}

static const struct command {
	const char *name;
	int (*run)(const struct ces_audit *audit);
	unsigned takes;
} commands[] = {
    {"verify", ces_audit_verify, TAKES_EXPECT | TAKES_FORMAT | TAKES_HEADS},
    {"head", ces_audit_head, TAKES_SIGN},
    {"list", ces_audit_list, TAKES_FILTER | TAKES_FORMAT},
    {"show", ces_audit_show, TAKES_RUN | TAKES_FORMAT},
    {"export", export, TAKES_FILTER | TAKES_OUTPUT | TAKES_FORMAT},
    {"review", ces_audit_review, TAKES_REVIEW},
};

static const struct option options[] = {
    {"journal", required_argument, NULL, 'j'}, {"expect", required_argument, NULL, 'e'},
    {"strict", no_argument, NULL, 'S'},        {"user", required_argument, NULL, 'u'},
    {"project", required_argument, NULL, 'p'}, {"image", required_argument, NULL, 'i'},
    {"digest", required_argument, NULL, 'd'},  {"run", required_argument, NULL, 'r'},
    {"outcome", required_argument, NULL, 'x'}, {"since", required_argument, NULL, 's'},
    {"until", required_argument, NULL, 't'},   {"output", required_argument, NULL, 'o'},
    {"crate", required_argument, NULL, 'c'},   {"format", required_argument, NULL, 'f'},
    {"from", required_argument, NULL, 'F'},    {"to", required_argument, NULL, 'T'},
    {"note", required_argument, NULL, 'N'},    {"by", required_argument, NULL, 'B'},
    {"record", required_argument, NULL, 'R'},  {"list", required_argument, NULL, 'L'},
    {"policy", required_argument, NULL, 'P'},  {"no-host", no_argument, NULL, 'H'},
    {"key", required_argument, NULL, 'k'},     {"against", required_argument, NULL, 'A'},
    {"sign", no_argument, NULL, 'G'},          {"syslog", no_argument, NULL, 'Y'},
    {"receipt", required_argument, NULL, 'V'}, {"outputs", required_argument, NULL, 'O'},
    {"help", no_argument, NULL, 'h'},          {NULL, 0, NULL, 0}};

/* Which kind of command an option belongs to; 0: all. */
static unsigned belongs(int option)
{
	if (strchr("upidrxst", option) != NULL)
		return TAKES_FILTER;
	if (option == 'e' || option == 'S')
		return TAKES_EXPECT;
	if (option == 'k')
		return TAKES_HEADS | TAKES_SIGN | TAKES_OUTPUT;
	if (option == 'A')
		return TAKES_HEADS;
	if (option == 'G' || option == 'Y')
		return TAKES_SIGN;
	if (option == 'P')
		return TAKES_REVIEW | TAKES_SIGN;
	if (strchr("FTNBRLH", option) != NULL)
		return TAKES_REVIEW;
	if (option == 'f')
		return TAKES_FORMAT;
	return strchr("ocVO", option) != NULL ? TAKES_OUTPUT : 0;
}

static int set_format(struct ces_audit *audit, const struct command *command, const char *word)
{
	if (command->run != export)
		return ces_tool_format(word, &audit->json);
	audit->format = word;
	return ces_export_format(word);
}

static int set_option(struct ces_audit *audit, const struct command *command, int option,
		      const char *value)
{
	struct ces_audit_filter *f = &audit->filter;
	struct ces_review_asked *r = &audit->review;
	struct ces_anchor *a = &audit->anchor;
	const struct {
		int option;
		const char **where;
	} texts[] = {{'j', &audit->journal},
		     {'c', &audit->crate},
		     {'e', &audit->expect},
		     {'o', &audit->output},
		     {'u', &f->user},
		     {'p', &f->project},
		     {'i', &f->image},
		     {'d', &f->digest},
		     {'r', &f->run},
		     {'x', &f->outcome},
		     {'s', &f->since},
		     {'t', &f->until},
		     {'F', &r->from},
		     {'T', &r->to},
		     {'N', &r->note},
		     {'B', &r->by},
		     {'R', &r->record},
		     {'L', &r->list},
		     {'P', &r->policy},
		     {'P', &a->policy},
		     {'k', &a->key},
		     {'A', &a->against},
		     {'V', &audit->crate_files.from},
		     {'O', &audit->crate_files.outputs}};

	for (size_t i = 0; i < CES_COUNT(texts); i++)
		if (texts[i].option == option)
			*texts[i].where = value;
	if (option == 'S')
		audit->strict = true;
	if (option == 'H')
		r->no_host = true;
	a->sign = a->sign || option == 'G';
	a->syslog = a->syslog || option == 'Y';
	return option == 'f' ? set_format(audit, command, value) : 0;
}

/* Nothing but the number of a run chooses records, and they go into one directory. */
static bool about_run(const struct ces_audit *audit)
{
	const struct ces_audit_filter *f = &audit->filter;

	return f->user == NULL && f->project == NULL && f->image == NULL && f->digest == NULL &&
	       f->outcome == NULL && f->since == NULL && f->until == NULL &&
	       audit->output == NULL && audit->format == NULL;
}

static int check_export(const struct ces_audit *audit)
{
	const struct ces_crate *files = &audit->crate_files;
	const char *fault = NULL;

	if ((files->from == NULL) != (files->key == NULL) ||
	    (files->key != NULL && audit->crate == NULL))
		fault = "--receipt needs --key and --crate";
	else if (files->outputs != NULL && audit->crate == NULL)
		fault = "--outputs needs --crate";
	else if (audit->crate != NULL && !about_run(audit))
		fault = "--crate has all records of a run, and takes neither a filter nor -o nor "
			"--format";
	if (fault != NULL)
		fprintf(stderr, "ces-policy: audit export: %s\n", fault);
	return fault == NULL ? 0 : -1;
}

/* -1: an error, already reported; 1: help was printed. */
static int parse(int argc, char **argv, const struct command *command, struct ces_audit *ret)
{
	int option;

	while ((option = getopt_long(argc, argv, "o:f:h", options, NULL)) != -1) {
		unsigned kind = belongs(option);

		if (option == 'h') {
			fputs(help, stdout);
			return 1;
		}
		if (option == '?')
			return -1;
		if (kind != 0 && (command->takes & kind) == 0) {
			fprintf(stderr, "ces-policy: audit %s takes no such option\n",
				command->name);
			return -1;
		}
		if (option == 'u')
			ces_text_clean(optarg); /* as the journal has it */
		if (set_option(ret, command, option, optarg) != 0)
			return -1;
	}
	if ((command->takes & TAKES_RUN) != 0 && optind < argc)
		ret->filter.run = argv[optind++];
	if (optind < argc) {
		fprintf(stderr, "ces-policy: one argument too many\n");
		return -1;
	}
	if (((command->takes & TAKES_RUN) != 0 || ret->crate != NULL) &&
	    (ret->filter.run == NULL || !ces_run_valid(ret->filter.run))) {
		fprintf(stderr, "ces-policy: audit: which run? Write its ten digits\n");
		return -1;
	}
	ret->crate_files.key = ret->anchor.key;
	if (command->run == export)
		return check_export(ret);
	if ((command->takes & (TAKES_HEADS | TAKES_SIGN)) != 0)
		return ces_anchor_check(&ret->anchor, command->run == ces_audit_head);
	return (command->takes & TAKES_REVIEW) != 0 ? ces_review_check(&ret->review) : 0;
}

static int open_files(struct ces_audit *audit, const struct command *command, struct ces_error *err)
{
	audit->out = stdout;
	if (ces_audit_filter_check(&audit->filter, err) != 0 ||
	    ces_journal_reader_open(audit->journal, &audit->reader, err) != 0)
		return -1;
	if (audit->output != NULL)
		audit->out = fopen(audit->output, "we");
	if (audit->out == NULL)
		return ces_error_errno(err, CES_E_HOST, "%s", audit->output);
	if (audit->crate_files.from != NULL &&
	    (ces_input_open(audit->crate_files.from, &audit->crate_files.from_fd, err) != 0 ||
	     ces_input_open(audit->crate_files.key, &audit->crate_files.key_fd, err) != 0))
		return -1;
	if (audit->crate_files.outputs != NULL &&
	    ces_input_open(audit->crate_files.outputs, &audit->crate_files.outputs_fd, err) != 0)
		return -1;
	if (audit->crate != NULL && ces_crate_make(audit->crate, &audit->crate_files, err) != 0)
		return -1;
	if ((command->takes & TAKES_REVIEW) != 0 && ces_review_prepare(audit, err) != 0)
		return -1;
	if ((command->takes & (TAKES_HEADS | TAKES_SIGN)) != 0 &&
	    ces_anchor_prepare(&audit->anchor, err) != 0)
		return -1;
	return ces_input_drop(err);
}

static int run(const struct command *command, int argc, char **argv)
{
	struct ces_audit audit = {
	    .journal = CES_JOURNAL_PATH,
	    .review.fd = -1,
	    .crate_files = {.from_fd = -1, .key_fd = -1, .outputs_fd = -1},
	    .anchor = {.fd = -1, .key_fd = -1, .log_fd = -1, .signer = CES_SIGNER_NONE}};
	struct ces_error err = {0};
	int status = parse(argc, argv, command, &audit);

	if (status != 0)
		return status > 0 ? CES_TOOL_GOOD : ces_tool_usage("audit");
	if (open_files(&audit, command, &err) != 0)
		status = ces_tool_fail(&err);
	else
		status = ces_tool_finish(audit.out, command->run(&audit));
	if (audit.out != NULL && audit.out != stdout)
		fclose(audit.out);
	if (ces_crate_close(&audit.crate_files) != 0 && status == CES_TOOL_GOOD) {
		perror("ces-policy: writing");
		status = CES_TOOL_ERROR;
	}
	ces_review_release(&audit);
	ces_anchor_release(&audit.anchor);
	ces_journal_reader_close(audit.reader);
	return status;
}

int ces_tool_audit(int argc, char **argv)
{
	struct ces_suggestion best = {0};

	if (argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
		fputs(help, stdout);
		return CES_TOOL_GOOD;
	}
	for (size_t i = 0; argc > 1 && i < CES_COUNT(commands); i++) {
		if (strcmp(argv[1], commands[i].name) == 0) {
			argv[1] = argv[0]; /* (getopt begins its complaints with it) */
			return run(&commands[i], argc - 1, argv + 1);
		}
		ces_suggest(&best, argv[1], commands[i].name);
	}
	if (argc > 1)
		return ces_tool_no_command("ces-policy audit", argv[1], best.word);
	fputs(help, stderr);
	return CES_TOOL_ERROR;
}
