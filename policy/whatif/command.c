/* ces-policy what-if: finds what a change would affect, before anybody makes it. It must change
 * nothing, and opens everything that it reads before it gives up root's rights. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/quantity.h"
#include "policy/evidence/store.h"
#include "policy/parse.h"
#include "policy/tool/input.h"
#include "policy/tool/tool.h"
#include "policy/valid.h"
#include "policy/whatif/what_if.h"

static const char help[] =
    "usage: ces-policy what-if [OPTION...] FILE package NAME[@VERSION] | cve CVE-...\n"
    "                                           | expire DATE | remove-user USER\n"
    "Says what a change would affect: approvals in the policy FILE, images, and past runs. Ask\n"
    "about a package or a vulnerability in images, by their evidence; about a day by which\n"
    "approvals end; or about a user who leaves.\n"
    "  --journal FILE   look for past runs too\n"
    "  --evidence DIR   where the evidence is (default: evidence.d beside the policy)\n"
    "  --groups G,...   remove-user: the user's groups, instead of those on this machine\n"
    "  --format json    print JSON\n"
    "Exit status: 0 nothing is affected, 1 something is affected, 2 an error.\n";

struct asked {
	const char *policy, *directory, *journal;
};

/* NAME@VERSION; a name may begin with "@". */
static int parse_package(struct ces_what_if *what)
{
	const char *at = strrchr(what->word, '@');
	size_t length =
	    at != NULL && at > what->word ? (size_t)(at - what->word) : strlen(what->word);

	if (length == 0 || length >= sizeof(what->name))
		return -1;
	memcpy(what->name, what->word, length);
	what->version = what->word[length] == '@' ? what->word + length + 1 : NULL;
	return what->version != NULL && *what->version == '\0' ? -1 : 0;
}

static int parse_question(struct ces_what_if *what, const char *verb, const char *word)
{
	static const char *const verbs[] = {"package", "cve", "expire", "remove-user"};
	size_t i = 0;

	while (i < CES_COUNT(verbs) && strcmp(verb, verbs[i]) != 0)
		i++;
	if (i == CES_COUNT(verbs)) {
		fprintf(stderr, "ces-policy: write package, cve, expire or remove-user\n");
		return -1;
	}
	what->what = (enum ces_what)i;
	what->word = word;
	if (what->what == CES_WHAT_PACKAGE && parse_package(what) != 0)
		fprintf(stderr, "ces-policy: write package openssl, or package openssl@3.0.11\n");
	else if (what->what == CES_WHAT_CVE && (*word == '\0' || strlen(word) > 100))
		fprintf(stderr, "ces-policy: write cve CVE-2026-1234\n");
	else if (what->what == CES_WHAT_EXPIRE && ces_num_parse_date(word, &what->end) != 0)
		fprintf(stderr, "ces-policy: write expire 2027-01-01\n");
	else if (what->what == CES_WHAT_REMOVE_USER && !ces_valid_account(word))
		fprintf(stderr, "ces-policy: write remove-user NAME\n");
	else
		return 0;
	return -1;
}

static int answer(struct ces_what_if *what, struct ces_error *err)
{
	int result;

	switch (what->what) {
	case CES_WHAT_PACKAGE:
	case CES_WHAT_CVE:
		result = ces_what_if_evidence(what, err);
		break;
	case CES_WHAT_EXPIRE:
		result = ces_what_if_expire(what, err);
		break;
	case CES_WHAT_REMOVE_USER:
	default:
		result = ces_what_if_user(what, err);
		break;
	}
	if (result != 0 || ces_what_if_runs(what, err) != 0)
		return -1;
	return what->no_memory ? ces_error_set(err, CES_E_HOST, "out of memory") : 0;
}

static int open_all(const struct asked *asked, struct ces_what_if *what, struct ces_policy **policy,
		    struct ces_error *err)
{
	CES_CLEANUP_FREE char *beside = ces_store_beside(asked->policy);
	const char *directory = asked->directory != NULL ? asked->directory : beside;

	if (directory == NULL)
		return ces_error_set(err, CES_E_HOST, "out of memory");
	if (ces_store_open(directory, &what->evidence_dir, err) != 0)
		return -1;
	if (asked->directory != NULL && what->evidence_dir < 0)
		return ces_error_set(err, CES_E_NOTFOUND, "%s: there is no such directory",
				     directory);
	if (asked->journal != NULL &&
	    ces_journal_reader_open(asked->journal, &what->journal, err) != 0)
		return -1;
	/* Gives up root. */
	return ces_input_policy(asked->policy, policy, err);
}

static int run(const struct asked *asked, struct ces_what_if *what)
{
	struct ces_policy *policy = NULL;
	struct ces_error err = {0};
	int status;

	if (open_all(asked, what, &policy, &err) != 0) {
		status = ces_tool_fail(&err);
	} else {
		what->policy = policy;
		if (answer(what, &err) != 0) {
			status = ces_tool_fail(&err);
		} else {
			ces_what_if_print(what);
			status = what->n_rules + what->n_images + what->runs.n > 0
				     ? CES_TOOL_FINDING
				     : CES_TOOL_GOOD;
		}
	}
	ces_what_if_free(what);
	ces_journal_reader_close(what->journal);
	ces_cleanup_close(&what->evidence_dir);
	ces_policy_free(policy);
	return status;
}

int ces_tool_what_if(int argc, char **argv)
{
	static const struct option options[] = {
	    {"journal", required_argument, NULL, 'j'}, {"evidence", required_argument, NULL, 'e'},
	    {"groups", required_argument, NULL, 'g'},  {"format", required_argument, NULL, 'f'},
	    {"help", no_argument, NULL, 'h'},          {NULL, 0, NULL, 0}};
	struct ces_what_if what = {.evidence_dir = -1};
	struct asked asked = {.policy = NULL};
	int option;

	while ((option = getopt_long(argc, argv, "f:h", options, NULL)) != -1) {
		if (option == 'h') {
			fputs(help, stdout);
			return CES_TOOL_GOOD;
		}
		if (option == '?' || (option == 'f' && ces_tool_format(optarg, &what.json) != 0))
			return ces_tool_usage("what-if");
		if (option == 'j')
			asked.journal = optarg;
		if (option == 'e')
			asked.directory = optarg;
		if (option == 'g')
			what.groups = optarg;
	}
	if (argc - optind != 3) {
		fprintf(stderr, "ces-policy: name one policy and one question\n");
		return ces_tool_usage("what-if");
	}
	asked.policy = argv[optind];
	if (parse_question(&what, argv[optind + 1], argv[optind + 2]) != 0 ||
	    (what.groups != NULL && what.what != CES_WHAT_REMOVE_USER))
		return ces_tool_usage("what-if");
	return ces_tool_finish(stdout, run(&asked, &what));
}
