/* ces-policy check: shows every problem of a policy, and not only the first. The parser, which is
 * also the helper's, finds the errors; this collects and shows them. */
#include "policy/tool/check.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/cleanup.h"
#include "common/paths.h"
#include "common/quantity.h"
#include "policy/evidence/store.h"
#include "policy/parse.h"
#include "policy/tool/input.h"
#include "policy/tool/profiles.h"
#include "policy/tool/signers.h"
#include "policy/tool/tool.h"

static const char help[] =
    "usage: ces-policy check [--strict] [--no-host] [--on DATE] [--evidence DIR] [--format json] "
    "FILE\n"
    "Reports every error of a policy, and what is unwise in it, and says what to write instead.\n"
    "--no-host checks nothing that depends on this machine (members, files, subordinate ids).\n"
    "Exit status: 0 good, 1 warnings (with --strict), 2 errors.\n";

struct check {
	const char *path, *evidence; /* evidence: NULL: evidence.d beside the policy */
	int evidence_dir;            /* -1: none */
	int profiles_dir;            /* the same */
	struct ces_profiles profiles;
	int dir; /* the policy's own */
	bool json, strict, host;
	time_t now;
	struct ces_problems problems;
	size_t errors;
	const struct ces_policy *policy;
};

static int add_error(void *context, const char *path, const char *text)
{
	struct check *check = context;
	char hint[512];

	ces_problems_add(&check->problems, CES_SEVERITY_ERROR, path,
			 ces_check_hint(path, text, hint, sizeof(hint)), "%s", text);
	check->errors++;
	return check->problems.no_memory ? -1 : 0;
}

/* A number after a word: "line 3". Moves *text past it. */
static size_t number_after(const char **text, const char *word)
{
	const char *at = strstr(*text, word);
	char *end;
	size_t n;

	if (at == NULL)
		return 1;
	n = strtoul(at + strlen(word), &end, 10);
	*text = end;
	return n;
}

/* A text that is not JSON has one error, "line 1, column 2: what", and no paths. */
static void add_syntax(struct check *check, const char *text)
{
	size_t line = number_after(&text, "line "), column = number_after(&text, ", column ");

	text += strspn(text, ": ");
	ces_problems_add(&check->problems, CES_SEVERITY_ERROR, "",
			 "correct this first: CES read nothing after it", "is not JSON: %s", text);
	check->errors++;
	if (check->problems.n > 0) {
		check->problems.v[check->problems.n - 1].line = line;
		check->problems.v[check->problems.n - 1].column = column;
	}
}

static void print_problem(const struct check *check, const struct ces_problem *one)
{
	const char *plain = ces_colour(stdout, CES_PLAIN);

	printf("%s%s:%zu:%zu:%s %s%s%s: %s%s%s\n", ces_colour(stdout, CES_BOLD), check->path,
	       one->line, one->column, plain,
	       ces_colour(stdout, one->severity == CES_SEVERITY_ERROR ? CES_RED : CES_YELLOW),
	       one->severity == CES_SEVERITY_ERROR ? "error" : "warning", plain,
	       one->path[0] != '\0' ? one->path : "", one->path[0] != '\0' ? " " : "the policy ",
	       one->text);
	if (one->hint[0] != '\0')
		printf("    %s\n", one->hint);
}

static void print_text(const struct check *check)
{
	size_t warnings = check->problems.n - check->errors;

	for (size_t i = 0; i < check->problems.n; i++)
		print_problem(check, &check->problems.v[i]);
	if (check->errors > 0)
		printf("%s: %zu error%s: CES would refuse this policy and deny everything\n",
		       check->path, check->errors, check->errors == 1 ? "" : "s");
	else
		printf("%s: good, %zu warning%s; %zu registries, %zu projects%s, %s\n", check->path,
		       warnings, warnings == 1 ? "" : "s", check->policy->n_registries,
		       check->policy->n_projects,
		       check->policy->infer ? " and those that groups infer" : "",
		       check->policy->digest);
}

static void print_json(const struct check *check)
{
	printf("{\"file\":");
	ces_tool_json(stdout, check->path);
	printf(",\"errors\":%zu,\"warnings\":%zu,\"problems\":[", check->errors,
	       check->problems.n - check->errors);
	for (size_t i = 0; i < check->problems.n; i++) {
		const struct ces_problem *one = &check->problems.v[i];

		printf("%s\n{\"severity\":\"%s\",\"line\":%zu,\"column\":%zu,\"path\":",
		       i > 0 ? "," : "", one->severity == CES_SEVERITY_ERROR ? "error" : "warning",
		       one->line, one->column);
		ces_tool_json(stdout, one->path);
		printf(",\"text\":");
		ces_tool_json(stdout, one->text);
		printf(",\"write\":");
		ces_tool_json(stdout, one->hint);
		printf("}");
	}
	printf("]%s%s%s}\n", check->policy != NULL ? ",\"digest\":\"" : "",
	       check->policy != NULL ? check->policy->digest : "",
	       check->policy != NULL ? "\"" : "");
}

static void warn(struct check *check)
{
	ces_check_warn(&check->problems, check->policy, check->now);
	ces_check_warn_paths(&check->problems, check->policy);
	ces_check_warn_profiles(&check->problems, check->policy, &check->profiles, check->host,
				check->now);
	ces_check_warn_evidence(&check->problems, check->policy, check->evidence_dir, check->now);
	ces_check_warn_signers(&check->problems, check->policy, check->dir, check->host);
	if (check->host)
		ces_check_warn_host(&check->problems, check->policy);
}

/* Before root's rights are given up. A missing file is an error only if somebody names it. */
static int open_evidence(struct check *check, struct ces_error *err)
{
	CES_CLEANUP_FREE char *beside = ces_store_beside(check->path);
	const char *path = check->evidence != NULL ? check->evidence : beside;

	if (path == NULL)
		return ces_error_set(err, CES_E_HOST, "out of memory");
	check->dir = ces_input_beside(check->path); /* for the keys there */
	if (ces_store_open(path, &check->evidence_dir, err) != 0)
		return -1;
	if (check->evidence_dir < 0 && check->evidence != NULL)
		return ces_error_set(err, CES_E_NOTFOUND, "%s: there is no such directory", path);
	return 0;
}

/* The policy in force, by any name, must be one that CES takes. A draft may belong to anyone.
 * Before root's rights are given up, since the directory may be closed to others. */
static void look_at_file(const struct check *check, struct ces_error *ret)
{
	CES_CLEANUP_FREE char *bytes = NULL;
	struct stat file, used;
	size_t length;

	if (check->host && stat(check->path, &file) == 0 && stat(CES_POLICY_PATH, &used) == 0 &&
	    file.st_dev == used.st_dev && file.st_ino == used.st_ino)
		(void)ces_policy_read(CES_POLICY_PATH, &bytes, &length, ret);
}

static void add_distrust(struct check *check, const struct ces_error *err)
{
	const char *path = CES_POLICY_PATH ": ";
	size_t skip = strncmp(err->text, path, strlen(path)) == 0 ? strlen(path) : 0;

	if (err->text[0] == '\0')
		return;
	ces_problems_add(&check->problems, CES_SEVERITY_ERROR, "",
			 "type: chown root:root " CES_POLICY_DIR " " CES_POLICY_PATH
			 " && chmod go-w " CES_POLICY_DIR " " CES_POLICY_PATH
			 "; CES follows no link",
			 "is refused by CES: %s", err->text + skip);
	check->errors++;
}

static int run(struct check *check)
{
	CES_CLEANUP_FREE char *bytes = NULL;
	struct ces_policy *policy = NULL;
	struct ces_error err = {0}, distrust = {0};
	size_t length = 0;

	look_at_file(check, &distrust);
	if (open_evidence(check, &err) != 0 ||
	    ces_profiles_open(check->path, &check->profiles_dir, &err) != 0 ||
	    ces_input_read(check->path, &bytes, &length, &err) != 0 ||
	    (check->profiles_dir >= 0 &&
	     ces_profiles_read(check->profiles_dir, &check->profiles, &err) != 0))
		return ces_tool_fail(&err);
	if (ces_policy_problems(bytes, length, add_error, check, &err) != 0) {
		add_syntax(check, err.text);
	} else {
		if (check->errors == 0 && ces_policy_parse(bytes, length, &policy, &err) != 0)
			return ces_tool_fail(&err);
		check->policy = policy;
		if (policy != NULL)
			warn(check);
		add_distrust(check, &distrust);
		ces_problems_locate(&check->problems, bytes, length);
	}
	if (check->problems.no_memory)
		(void)fprintf(stderr, "ces-policy: out of memory: not every problem is reported\n");
	if (check->json)
		print_json(check);
	else
		print_text(check);
	ces_policy_free(policy);
	if (check->errors > 0 || check->problems.no_memory)
		return CES_TOOL_ERROR;
	return check->strict && check->problems.n > 0 ? CES_TOOL_FINDING : CES_TOOL_GOOD;
}

/* -1 usage, 1 help was printed. */
static int parse(int argc, char **argv, struct check *check)
{
	static const struct option options[] = {{"strict", no_argument, NULL, 's'},
						{"no-host", no_argument, NULL, 'n'},
						{"on", required_argument, NULL, 'o'},
						{"evidence", required_argument, NULL, 'e'},
						{"format", required_argument, NULL, 'f'},
						{"help", no_argument, NULL, 'h'},
						{NULL, 0, NULL, 0}};
	int option;

	while ((option = getopt_long(argc, argv, "f:h", options, NULL)) != -1) {
		if (option == 'h') {
			fputs(help, stdout);
			return 1;
		}
		if (option == '?' ||
		    (option == 'f' && ces_tool_format(optarg, &check->json) != 0) ||
		    (option == 'o' && ces_num_parse_date(optarg, &check->now) != 0))
			return -1;
		check->strict = check->strict || option == 's';
		check->host = check->host && option != 'n';
		if (option == 'e')
			check->evidence = optarg;
		if (option == 'o')
			check->now--; /* that day, not the second after it */
	}
	if (argc - optind != 1)
		return -1;
	check->path = argv[optind];
	return 0;
}

int ces_tool_check(int argc, char **argv)
{
	struct check check = {
	    .host = true, .now = time(NULL), .evidence_dir = -1, .profiles_dir = -1, .dir = -1};
	int status = parse(argc, argv, &check);

	if (status != 0)
		return status > 0 ? CES_TOOL_GOOD : ces_tool_usage("check");
	status = run(&check);
	ces_problems_free(&check.problems);
	ces_profiles_free(&check.profiles);
	ces_cleanup_close(&check.profiles_dir);
	ces_cleanup_close(&check.evidence_dir);
	ces_cleanup_close(&check.dir);
	return ces_tool_finish(stdout, status);
}
